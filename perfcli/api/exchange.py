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
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfcli.monitor import PerformanceMonitor

# What a log store, a shell and a header can all carry unquoted; anything else would be a way into the log.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=@/+-]{1,128}")
# https://www.w3.org/TR/trace-context/#traceparent-header; a later version may append fields.
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


class _RequestIds:
    """Ids that no other request has, of any process. They are no secrets: random numbers would take longer."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew, as a forked child must."""
        prefix = f"{secrets.token_hex(8)}-"
        # All in C, so that two threads never get the same one.
        self.next = map(prefix.__add__, map(str, itertools.count(1))).__next__


_request_ids = _RequestIds()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_request_ids.renew)


@dataclass(slots=True)
class Exchange:
    """What is known of one request while it is being answered.

    Attributes:
        request_id: The client's `X-Request-ID` if it is a sane one, else a new one.
        trace_id: Trace of the client's `traceparent`; None without a valid one.
        started_ns: `perf_counter_ns` when the request reached the application.
        called_ns: When the framework had read and validated the input; None before.
        entered_ns: When the endpoint began to run, after its wait for a worker thread; None before.
        stages_ns: Time per named stage inside the endpoint, in the order they first ran.
        monitor: What measures the endpoint; None leaves it alone.
    """

    request_id: str
    trace_id: str | None
    started_ns: int
    called_ns: int | None = None
    entered_ns: int | None = None
    stages_ns: dict[str, int] = field(default_factory=dict)
    monitor: PerformanceMonitor | None = None


CURRENT_EXCHANGE: ContextVar[Exchange | None] = ContextVar("perfcli_exchange", default=None)


def open_exchange(headers: Iterable[tuple[bytes, bytes]], monitor: PerformanceMonitor | None = None) -> Exchange:
    """Begin the exchange of a request that carries these raw ASGI headers."""
    started_ns = perf_counter_ns()
    request_id: str | None = None
    trace_id: str | None = None
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode("ascii")
        elif name == b"traceparent":
            trace_id = _trace_id(value)
    return Exchange(request_id or _request_ids.next(), trace_id, started_ns, monitor=monitor)


class stage:  # noqa: N801 - reads as a function, and is faster than a generator
    """Time a named stage of the current request for its Server-Timing header; free outside one."""

    __slots__ = ("_exchange", "_name", "_started_ns")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._exchange = CURRENT_EXCHANGE.get()
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
