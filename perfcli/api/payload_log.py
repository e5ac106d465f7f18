"""The inputs of predictions in the log: only when asked for, and without the fields that must not be there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perfcli.api.exchange import Exchange, current_exchange
from perfcli.api.instrument import MEASURED, path_within
from perfcli.logs import LogDelivery, LogEntry
from perfcli.monitor import PerformanceMonitor
from perfcli.payloads import Payload
from perfcli.secrets import MASK

_logger = logging.getLogger("perfcli.api")


def payload_logger(delivery: LogDelivery, redacted: Collection[str]) -> Callable[[Payload], None]:
    """Return a function that logs an input under the id of its request, the redacted fields masked."""

    def log(payload: Payload) -> None:
        exchange = current_exchange()
        entry = LogEntry(
            level=logging.INFO,
            logger="perfcli.payloads",
            created_ns=time.time_ns(),
            message="The input of a prediction.",
            transaction_id=None if exchange is None else exchange.transaction_id,
            trace_id=None if exchange is None else exchange.trace_id,
            fields=lambda: {"payload": redact(payload, redacted)},
        )
        delivery.submit(entry)

    return log


class RequestIds:
    """ASGI middleware that gives a request an id, and returns it, where the monitor is off and does not.

    An input in the log is of no use if nobody knows which request it came with.
    """

    def __init__(self, app: ASGIApp, monitor: PerformanceMonitor, paths: Collection[str]) -> None:
        self._app = app
        self._monitor = monitor
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open an exchange around a request to one of the paths that is in none; nothing in it is measured."""
        if scope["type"] != "http" or MEASURED in scope or path_within(scope) not in self._paths:
            await self._app(scope, receive, send)
            return
        exchange = Exchange(self._monitor, scope["headers"], None)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                request_id = (b"x-request-id", exchange.raw_id)
                message = {**message, "headers": [*message.get("headers", ()), request_id]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            exchange.end()


def warn_of_unknown_fields(redacted: Collection[str], columns: Collection[str] | None) -> None:
    """Say which redacted fields no input has: behind a misspelled name, the field itself is in the log."""
    unknown = [] if columns is None else [name for name in redacted if name not in columns]
    if unknown:
        _logger.warning("Warning: LOG_REDACT names what is no column of the model: %s.", ", ".join(unknown))


def redact(payload: Payload, names: Collection[str]) -> Payload:
    """Mask the named fields of every row; rows without names are masked whole as soon as any name is redacted."""
    if isinstance(payload, dict):
        return {name: MASK if name in names else value for name, value in payload.items()}
    return [redact(row, names) if isinstance(row, dict) else (MASK if names else row) for row in payload]
