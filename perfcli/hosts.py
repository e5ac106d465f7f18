"""The URL of a server, and whether that is this very machine, where it may be loaded and shown a secret unasked."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def reachable(host: str) -> str:
    """Return where this machine reaches what listens on an address: on loopback what listens on all of them."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def url_of(host: str, port: int) -> str:
    """Return the URL under which this machine reaches what listens on an address."""
    host = reachable(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this very machine, without asking a name server."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
