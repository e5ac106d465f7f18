"""Who passes with which token."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import HTTPException
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import SecretStr

from perfcli.api.access import token_check


def _check(token: str, sent: bytes) -> None:
    # As Starlette reads a header.
    given = HTTPAuthorizationCredentials(scheme="Bearer", credentials=sent.decode("latin-1"))
    asyncio.run(token_check(SecretStr(token))(given))  # type: ignore[arg-type]  # it is a coroutine


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_token_beyond_ascii_is_known_in_either_spelling(encoding: str) -> None:
    _check("tökén", "tökén".encode(encoding))


@pytest.mark.parametrize(("token", "sent"), [("tökén", b"tokn"), ("tökén", b""), ("日本", b"??")])
def test_any_other_token_is_refused(token: str, sent: bytes) -> None:
    with pytest.raises(HTTPException) as refused:
        _check(token, sent)
    assert refused.value.status_code == 401
