"""What Admission refuses, driven as raw ASGI so that a request stays open exactly as long as a test wants."""

from __future__ import annotations

import asyncio

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
    async def scenario() -> tuple[list[Message], HTTPException]:
        read, release = asyncio.Event(), asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            message = await receive()
            read.set()
            await release.wait()
            await _read_all(scope, _Client(message["body"]).receive, send)

        admission = Admission(slow, {"/predict"}, max_in_flight=1, max_body_bytes=10)
        first, second, third = _Client(b"1"), _Client(b"2"), _Client(b"3")
        running = asyncio.create_task(admission(_scope(), first.receive, first.send))
        await read.wait()
        with pytest.raises(HTTPException) as refused:
            await admission(_scope(), second.receive, second.send)
        release.set()
        await running
        await admission(_scope(), third.receive, third.send)
        assert third.sent[0]["status"] == 200
        return first.sent, refused.value

    first, refused = asyncio.run(scenario())
    assert (first[0]["status"], first[1]["body"]) == (200, b"1")
    assert (refused.status_code, refused.headers) == (503, {"Retry-After": "1"})
    assert refused.detail == "The server is at its limit of 1 predictions at a time."


class _HalfSent(_Client):
    """Sends the first piece, and the rest when it is told to; that may be never."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__(*pieces)
        self.waits, self.go_on = asyncio.Event(), asyncio.Event()
        self._has_begun = False

    async def receive(self) -> Message:
        if self._has_begun:
            self.waits.set()
            await self.go_on.wait()
        self._has_begun = True
        return await super().receive()


def test_half_a_body_takes_no_place_and_its_other_half_waits_for_none() -> None:
    async def scenario() -> tuple[list[Message], list[Message]]:
        admission = Admission(_read_all, {"/predict"}, max_in_flight=1, max_body_bytes=10)
        slow, quick = _HalfSent(b"1", b"2"), _Client(b"3")
        running = asyncio.create_task(admission(_scope(), slow.receive, slow.send))
        await slow.waits.wait()
        await admission(_scope(), quick.receive, quick.send)
        slow.go_on.set()
        await running
        return slow.sent, quick.sent

    slow, quick = asyncio.run(scenario())
    assert (slow[1]["body"], quick[1]["body"]) == (b"12", b"3")


def test_a_body_that_does_not_end_is_answered_408_at_the_deadline_and_its_connection_closed() -> None:
    async def scenario() -> None:
        client = _HalfSent(b"1", b"2")
        admission = Admission(_read_all, {"/predict"}, max_in_flight=1, max_body_bytes=10, body_timeout_s=0)
        await admission(_scope(), client.receive, client.send)

    with pytest.raises(HTTPException) as refused:
        asyncio.run(scenario())
    assert (refused.value.status_code, refused.value.headers) == (408, {"Connection": "close"})
    assert refused.value.detail == "The body did not arrive within 0 seconds."


def test_the_time_limit_of_a_body_is_none_of_the_wait_for_its_client_to_leave() -> None:
    async def scenario() -> object:
        left = asyncio.Event()
        messages: list[Message] = [{"type": "http.request", "body": b"1"}, {"type": "http.disconnect"}]

        async def receive() -> Message:
            if len(messages) == 1:
                await left.wait()
            return messages.pop(0)

        async def listening(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            # A time-out that is due runs first.
            asyncio.get_running_loop().call_later(0.001, left.set)
            await send(await receive())

        client = _Client()
        admission = Admission(listening, {"/predict"}, max_in_flight=1, max_body_bytes=10, body_timeout_s=0)
        await admission(_scope(), receive, client.send)
        return client.sent

    assert asyncio.run(scenario()) == [{"type": "http.disconnect"}]


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
