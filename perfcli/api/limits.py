"""Bounds on what clients can make the server hold: predictions at a time, and bytes and seconds of a body."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRY_AFTER_S = 1

# Shorter than the drain at the end of the server, which a client that sends half a body would otherwise hold up.
BODY_TIMEOUT_S = 10.0


class Admission:
    """ASGI middleware that refuses what exceeds the bounds, before anything is parsed."""

    def __init__(
        self,
        app: ASGIApp,
        paths: Collection[str],
        max_in_flight: int,
        max_body_bytes: int,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._max_in_flight = max_in_flight
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        # The event loop runs one coroutine at a time: no lock is needed around the counter.
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; reading its body ends in 503 when full, 413 when too long and 408 when too slow."""
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        body = _Body(_bounded(scope, receive, self._max_body_bytes), self._body_timeout_s)

        async def receive_admitted() -> Message:
            if body.is_complete:
                return await receive()
            # Before the body too: nobody waits for one that will be refused.
            self._refuse_if_full()
            message = await body.receive()
            if not message.get("more_body", False):
                body.is_complete = True
                # Only now, so that half a body holds no place.
                self._refuse_if_full()
                self._in_flight += 1
                body.is_admitted = True
            return message

        try:
            await self._app(scope, receive_admitted, send)
        finally:
            self._in_flight -= body.is_admitted

    def _refuse_if_full(self) -> None:
        if self._in_flight >= self._max_in_flight:
            detail = f"The server is at its limit of {self._max_in_flight} predictions at a time."
            # From inside `receive`, the one place from which FastAPI passes an HTTPException on unchanged.
            raise HTTPException(503, detail, {"Retry-After": str(RETRY_AFTER_S)})


class _Body:
    """The body of one request, to be received until a deadline.

    Attributes:
        is_complete: Its last byte is here, or the client is gone.
        is_admitted: Its request has a place among those in flight.
    """

    def __init__(self, receive: Receive, timeout_s: float) -> None:
        self._receive = receive
        self._timeout_s = timeout_s
        self._deadline_s = asyncio.get_running_loop().time() + timeout_s
        self.is_complete = False
        self.is_admitted = False

    async def receive(self) -> Message:
        """Wait for the next part of it, until the deadline."""
        try:
            async with asyncio.timeout_at(self._deadline_s):
                return await self._receive()
        except TimeoutError:
            detail = f"The body did not arrive within {self._timeout_s:g} seconds."
            raise HTTPException(408, detail, {"Connection": "close"}) from None


def _bounded(scope: Scope, receive: Receive, limit_bytes: int) -> Receive:
    """Make reading a longer body than this end in a 413, whether its length was declared or not."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    received_bytes = int(declared) if declared.isdigit() and int(declared) > limit_bytes else 0

    async def receive_bounded() -> Message:
        nonlocal received_bytes
        if received_bytes <= limit_bytes:
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes <= limit_bytes:
                return message
        raise HTTPException(413, f"The body is longer than {limit_bytes} bytes.")

    return receive_bounded
