"""Bounds on what clients can make the server hold: predictions at a time, and bytes of a body."""

from __future__ import annotations

from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRY_AFTER_S = 1


class Admission:
    """ASGI middleware that refuses what exceeds the bounds, before anything is parsed."""

    def __init__(self, app: ASGIApp, paths: Collection[str], max_in_flight: int, max_body_bytes: int) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._max_in_flight = max_in_flight
        self._max_body_bytes = max_body_bytes
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 503 when full; else pass the request on with a bounded body."""
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._max_in_flight:
            body = {"detail": f"The server is at its limit of {self._max_in_flight} predictions at a time."}
            await JSONResponse(body, 503, {"Retry-After": str(RETRY_AFTER_S)})(scope, receive, send)
            return
        # The event loop runs one coroutine at a time: no lock is needed around the counter.
        self._in_flight += 1
        try:
            await self._app(scope, _bounded(scope, receive, self._max_body_bytes), send)
        finally:
            self._in_flight -= 1


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
        # From inside `receive`, the one place from which FastAPI passes an HTTPException on unchanged.
        raise HTTPException(413, f"The body is longer than {limit_bytes} bytes.")

    return receive_bounded
