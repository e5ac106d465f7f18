"""The URL of a service: what of it is the address, and what the path, which carries the row of a GET request."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from perfcli.errors import PayloadError, UsageError

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


def carry_in_query(path: str, payload: object) -> str:
    """Return a path with a row added to its query, as `perfcli profile` sends it to the same URL.

    Raises:
        PayloadError: The payload is not one row of plain values.
    """
    if not isinstance(payload, dict) or any(isinstance(value, list | dict) for value in payload.values()):
        raise PayloadError("A GET request carries one flat row in its query.", "Use --http-method POST.")
    parts = urlsplit(path)
    row = {name: [str(value)] for name, value in payload.items()}
    query = urlencode({**parse_qs(parts.query, keep_blank_values=True), **row}, doseq=True)
    return urlunsplit(parts._replace(query=query))


def address_of(base_url: str) -> tuple[str, int]:
    """Return host and port of a URL that `split_url` accepted."""
    parts = urlsplit(base_url)
    return parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
