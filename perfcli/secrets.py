"""Keep what opens a door out of everything that is shown or stored."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

MASK = "***"

_USER_INFO = re.compile(r"//.*@([^?#&]*).*", re.DOTALL)
_SECRET = re.compile(r"auth|cookie|token|secret|passw|signature|session|api[-_]?key|^key$|^sig$", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Tell from the name of a header or parameter whether its value is a secret."""
    return bool(_SECRET.search(name))


def mask_url(url: str) -> str:
    """Return the URL with its password and the values of parameters such as `api_key` replaced."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _mask_all_before_host(url)
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        # A password with one of /?# in it ends the user information too early.
        return _mask_all_before_host(url)
    user_info, at, host = parts.netloc.rpartition("@")
    user, colon, _ = user_info.partition(":")
    netloc = f"{user}{colon and f':{MASK}'}{at}{host}"
    query = parts.query
    if any(is_secret_name(name) for name, _ in parse_qsl(query)):
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode([(name, MASK if is_secret_name(name) else value) for name, value in pairs], safe="*")
    return urlunsplit(parts._replace(netloc=netloc, query=query))


def _mask_all_before_host(url: str) -> str:
    return _USER_INFO.sub(rf"//{MASK}@\1", url)
