"""Addresses of stores, as they may be shown and stored."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def masked_url(url: str) -> str:
    """Return the URL without the values that open it: password, and all parameters."""
    parts = urlsplit(url)
    user_info, at, host = parts.netloc.rpartition("@")
    user, colon, _ = user_info.partition(":")
    query = "***" if parts.query else ""
    return urlunsplit(parts._replace(netloc=f"{user}{colon and ':***'}{at}{host}", query=query))
