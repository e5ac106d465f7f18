"""Who may read the logs and the metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from secrets import compare_digest
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

_BEARER = HTTPBearer(auto_error=False, description="API_TOKEN of the server; not asked for while it is not set.")


def token_check(token: SecretStr | None) -> Callable[..., Awaitable[None]]:
    """Return a dependency that lets a request pass only with this bearer token; None lets all pass."""
    # A header arrives as bytes and is read as Latin-1; clients write what ASCII lacks in that or in UTF-8.
    text = None if token is None else token.get_secret_value()
    expected = [] if text is None else _spellings(text)

    async def check(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        if not expected:
            return
        given = b"" if credentials is None else credentials.credentials.encode("latin-1")
        # Takes as long for a wrong first letter as for a wrong last one.
        if not any([compare_digest(given, spelling) for spelling in expected]):  # noqa: C419 - both, always
            raise HTTPException(401, "This needs the API token.", {"WWW-Authenticate": "Bearer"})

    return check


def _spellings(token: str) -> list[bytes]:
    try:
        return [token.encode(), token.encode("latin-1")]
    except UnicodeEncodeError:
        return [token.encode()]
