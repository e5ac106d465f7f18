"""What Admission refuses, driven as raw ASGI so that a request stays open exactly as long as a test wants."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from perfcli.api.limits import Admission


def _scope(path: str = "/predict", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Scope:
    return {"type": "http", "method": "POST", "path": path, "headers": list(headers)}


class _Client:
    """Sends a body in pieces and keeps what comes back."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        piece = self._pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def _read_all(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def test_one_request_too_many_is_refused_at_once_and_told_when_to_come_back() -> None:
    async def scenario() -> tuple[list[Message], list[Message]]:
        entered, release = asyncio.Event(), asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            entered.set()
            await release.wait()
            await _read_all(scope, receive, send)

        admission = Admission(slow, {"/predict"}, max_in_flight=1, max_body_bytes=10)
        first, second, third = _Client(b"1"), _Client(b"2"), _Client(b"3")
        running = asyncio.create_task(admission(_scope(), first.receive, first.send))
        await entered.wait()
        await admission(_scope(), second.receive, second.send)
        release.set()
        await running
        await admission(_scope(), third.receive, third.send)
        assert third.sent[0]["status"] == 200
        return first.sent, second.sent

    first, second = asyncio.run(scenario())
    assert (first[0]["status"], first[1]["body"]) == (200, b"1")
    assert second[0]["status"] == 503
    assert dict(second[0]["headers"])[b"retry-after"] == b"1"
    assert json.loads(second[1]["body"]) == {"detail": "The server is at its limit of 1 predictions at a time."}


def test_other_paths_are_answered_while_predictions_are_refused() -> None:
    client = _Client(b"x" * 100)
    admission = Admission(_read_all, {"/predict"}, max_in_flight=0, max_body_bytes=1)
    asyncio.run(admission(_scope("/health"), client.receive, client.send))
    assert (client.sent[0]["status"], client.sent[1]["body"]) == (200, b"x" * 100)


@pytest.mark.parametrize("headers", [(), ((b"content-length", b"10"),)])
def test_a_body_of_exactly_the_limit_arrives_whole(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    client = _Client(b"12345", b"67890")
    admission = Admission(_read_all, {"/predict"}, max_in_flight=1, max_body_bytes=10)
    asyncio.run(admission(_scope(headers=headers), client.receive, client.send))
    assert client.sent[1]["body"] == b"1234567890"


@pytest.mark.parametrize("headers", [(), ((b"content-length", b"11"),)])
def test_a_body_beyond_the_limit_ends_in_413_declared_or_not(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    client = _Client(b"12345", b"67890", b"1")
    admission = Admission(_read_all, {"/predict"}, max_in_flight=1, max_body_bytes=10)
    with pytest.raises(HTTPException) as refused:
        asyncio.run(admission(_scope(headers=headers), client.receive, client.send))
    assert refused.value.status_code == 413
