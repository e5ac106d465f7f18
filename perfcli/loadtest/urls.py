"""The URL of a service: what of it is the address, and what the path."""

from __future__ import annotations

from urllib.parse import urlsplit

from perfcli.errors import UsageError

DEFAULT_PORTS = {"http": 80, "https": 443}


def split_url(url: str) -> tuple[str, str]:
    """Return the base URL and the path of a URL.

    Raises:
        UsageError: Not an http or https URL with a host and nothing beside host, port and path.
    """
    parts = urlsplit(url)
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"'{url}' is no URL of an API.", "Write it like http://127.0.0.1:8000.")
    if parts.username or parts.query or parts.fragment:
        hint = "Send credentials with --header 'Authorization: ...', and a query with --path."
        raise UsageError(f"A host takes no user, query or fragment: {parts.scheme}://{parts.hostname}.", hint)
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/"


def address_of(base_url: str) -> tuple[str, int]:
    """Return host and port of a URL that `split_url` accepted."""
    parts = urlsplit(base_url)
    return parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
