"""One HTTP request while it is answered: its ids, and the moments and stages that Server-Timing shows.

The exchange is a mutable object in a ContextVar: AnyIO copies the context into the worker thread of a `def` endpoint
but nothing that is set there comes back, so the endpoint changes the object instead of the variable.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
from collections.abc import Iterable
from time import perf_counter_ns
from typing import TYPE_CHECKING

from perfcli.monitor.context import CURRENT_REQUEST, Request

if TYPE_CHECKING:
    from perfcli.monitor import PerformanceMonitor

# What a log store, a shell and a header can all carry unquoted; anything else would be a way into the log.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=@/+-]{1,128}")
# https://www.w3.org/TR/trace-context/#traceparent-header; a later version may append fields.
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")

# Of a hundred ids at a time, in text and in a header: to join them takes less than to write each number.
_ID_ENDS = [(f"{number:02}", b"%02d" % number) for number in reversed(range(100))]


class _RequestIds:
    """Ids that no other request has, of any process. They are no secrets: random numbers would take longer."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew, as a forked child must."""
        self._prefix = secrets.token_hex(8)
        self._hundreds = itertools.count()
        self.ready: list[tuple[str, bytes]] = []

    def next(self) -> tuple[str, bytes]:
        """Return an id and what it is in a header, and have more `ready`: what makes one is cold by then."""
        begin = f"{self._prefix}-{next(self._hundreds)}"
        raw_begin = begin.encode("ascii")
        ready = [(begin + end, raw_begin + raw_end) for end, raw_end in _ID_ENDS]
        first = ready.pop()
        self.ready = ready
        return first


_request_ids = _RequestIds()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_request_ids.renew)


class Exchange(Request):
    """A request of the monitor that came over HTTP; it begins when it is made.

    Its `transaction_id` is the client's `X-Request-ID` if it is a sane one, else a new one.

    Attributes:
        raw_id: The same, as it is in a header.
        called_ns: When the framework had read and validated the input; None before.
        entered_ns: When the endpoint began to run, after its wait for a worker thread; None before.
        stages_ns: Time per named stage inside the endpoint, in the order they first ran.
    """

    called_ns: int | None = None
    entered_ns: int | None = None

    def __init__(
        self, monitor: PerformanceMonitor, headers: Iterable[tuple[bytes, bytes]], outer: Request | None
    ) -> None:
        """Take the ids from raw ASGI headers."""
        # All by itself, as a block does.
        self.begun_ns = perf_counter_ns()
        self.monitor = monitor
        self.blocks = []
        self.logged = []
        self.stages_ns: dict[str, int] = {}
        self.transaction_id = self.trace_id = None
        for name, value in headers:
            if name == b"x-request-id" or name == b"traceparent":
                self._take_id(name, value)
        if self.transaction_id is None:
            try:
                self.transaction_id, self.raw_id = _request_ids.ready.pop()
            except IndexError:
                self.transaction_id, self.raw_id = _request_ids.next()
        self.is_open = True
        self.own_ns = 0
        self._outer = outer
        CURRENT_REQUEST.set(self)

    def _take_id(self, name: bytes, value: bytes) -> None:
        if name == b"traceparent":
            self.trace_id = _trace_id(value)
        elif _REQUEST_ID.fullmatch(value):
            self.transaction_id, self.raw_id = value.decode("ascii"), value


def current_exchange() -> Exchange | None:
    """Return the exchange that this code runs in; None outside of one."""
    request = CURRENT_REQUEST.get()
    return request if isinstance(request, Exchange) else None


class stage:  # noqa: N801 - reads as a function, and is faster than a generator
    """Time a named stage of the current request for its Server-Timing header; free outside one."""

    __slots__ = ("_exchange", "_name", "_started_ns")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._exchange = current_exchange()
        self._started_ns = perf_counter_ns()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._exchange is not None:
            stages_ns = self._exchange.stages_ns
            stages_ns[self._name] = stages_ns.get(self._name, 0) + perf_counter_ns() - self._started_ns


def _trace_id(value: bytes) -> str | None:
    match = _TRACEPARENT.fullmatch(value)
    if match is None or (match[1] == b"00" and match[3] is not None):
        return None
    return match[2].decode("ascii")
