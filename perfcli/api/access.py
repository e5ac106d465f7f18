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
    expected = None if token is None else token.get_secret_value().encode()

    async def check(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        if expected is None:
            return
        given = "" if credentials is None else credentials.credentials
        # Takes as long for a wrong first letter as for a wrong last one.
        if not compare_digest(given.encode(), expected):
            raise HTTPException(401, "This needs the API token.", {"WWW-Authenticate": "Bearer"})

    return check
