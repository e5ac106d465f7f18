"""Measure any FastAPI or Starlette application with one line: `instrument(app)`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, TypeVar, cast

from perfcli.errors import MissingExtraError

try:
    from anyio import CapacityLimiter, to_thread
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError:
    raise MissingExtraError("instrument(app)", "serve") from None

from perfcli.api.endpoints import measure_fastapi, measure_routes
from perfcli.api.exchange import Exchange
from perfcli.api.server_timing import server_timing
from perfcli.monitor.context import CURRENT_REQUEST

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Lifespan

    from perfcli.monitor import PerformanceMonitor

    App = TypeVar("App", bound=Starlette)

UNMEASURED_PATHS = frozenset(
    {
        "/health",
        "/healthz",
        "/livez",
        "/ready",
        "/readyz",
        "/metrics",
        "/docs",
        "/docs/oauth2-redirect",
        "/redoc",
        "/openapi.json",
        "/favicon.ico",
    }
)
"""What operators and browsers ask for, which are no predictions and often most of the requests."""

MEASURED = "perfcli.measured"
"""In the scope of a request that is measured already: an application may be mounted in another one."""


def instrument(app: App, monitor: PerformanceMonitor | None = None, *, paths: Collection[str] | None = None) -> App:
    """Measure the endpoints of an application, also those its lifespan adds; to be called before it serves.

    A request gets an id (`X-Request-ID`, the client's if it is sane) and a Server-Timing header; its endpoint gets a
    record in the log, with the id and the latency up to the last byte. An `X-Request-ID` that the application answers
    with stays alone, and the record has the other one. `def` endpoints are measured in their worker thread. An
    `async def` endpoint that never waits is measured like them; one that waits has no profile, and its CPU time is
    without that of the coroutines that ran meanwhile. While the monitor is off nothing of this happens. At the end of
    the application's lifespan what `perfcli.performance_monitor` has logged is delivered.

    Args:
        app: The application; it is changed and returned.
        monitor: Takes the measurements; by default `perfcli.performance_monitor`, which the environment configures.
        paths: Measure only requests to these paths; None: to all but `UNMEASURED_PATHS`.

    Raises:
        RuntimeError: It has been asked something already.
        TypeError: It is no such application, or `paths` is one text.
        ValueError: A path does not begin with a slash.
    """
    if not hasattr(app, "build_middleware_stack"):
        raise TypeError(f"instrument() takes a FastAPI or Starlette application, not {type(app).__name__}")
    if isinstance(paths, str):
        raise TypeError(f"paths takes a list of paths, such as [{paths!r}], not one text")
    if strange := sorted(path for path in paths or () if not path.startswith("/")):
        raise ValueError(f"a path begins with a slash: {', '.join(strange)}")
    if app.middleware_stack is not None:
        raise RuntimeError("instrument() comes too late: the application has been asked already")
    monitoring = partial(_Monitoring, application=app, monitor=monitor or _default_monitor(), paths=paths)
    surround(app, monitoring)
    return app


def surround(app: Starlette, middleware: Callable[[ASGIApp], ASGIApp]) -> None:
    """Put a middleware around all there is, what answers for an exception that nobody handles included."""
    build = app.build_middleware_stack
    # It is called when the first request comes: what `add_middleware` is given until then lies inside.
    setattr(app, "build_middleware_stack", lambda: middleware(build()))  # noqa: B010 - a method, of this one alone


def _default_monitor() -> PerformanceMonitor:
    from perfcli.logs.library import performance_monitor

    return performance_monitor


def path_within(scope: Scope) -> str:
    """Return the path within the application, wherever that is mounted."""
    path: str = scope["path"]
    root = scope.get("root_path")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


class _Monitoring:
    """ASGI middleware that opens an exchange around each request, and passes every message on as it is."""

    def __init__(
        self, app: ASGIApp, application: Starlette, monitor: PerformanceMonitor, paths: Collection[str] | None
    ) -> None:
        # Here the application is about to serve: its routes are there, whoever came first.
        measure_fastapi()
        measure_routes(application.routes)
        application.router.lifespan_context = _around_lifespan(application)
        self._app = app
        self._monitor = monitor
        self._paths = UNMEASURED_PATHS if paths is None else frozenset(paths)
        self._are_measured = paths is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure a request; anything else, and all while the monitor is off, is none of our business."""
        if (
            not self._monitor.enabled
            or scope["type"] != "http"
            or MEASURED in scope
            or (path_within(scope) in self._paths) is not self._are_measured
        ):
            await self._app(scope, receive, send)
            return
        scope[MEASURED] = True
        outer = CURRENT_REQUEST.get()
        # A server begins a pipelined request while it sends the answer of the one before, in the context of that.
        exchange = Exchange(self._monitor, scope["headers"], outer if outer is not None and outer.is_open else None)

        def send_measured(message: Message) -> Awaitable[None]:
            """Add the headers to the first message, and end with the last: background tasks are no latency."""
            if message["type"] == "http.response.start":
                started_ns = perf_counter_ns()
                timing = (b"server-timing", server_timing(exchange, started_ns).encode())
                headers = [*message.get("headers", ()), timing]
                # Not by a dict or a set of them, which takes longer to make than so few names to compare.
                for name, _ in headers:
                    if name == b"x-request-id":
                        break
                else:
                    headers.append((b"x-request-id", exchange.raw_id))
                message = {**message, "headers": headers}
                exchange.own_ns += perf_counter_ns() - started_ns
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                return _send_last(message, send, exchange)
            # As it came, not in one more coroutine.
            return send(message)

        exchange.own_ns = perf_counter_ns() - exchange.begun_ns
        try:
            await self._app(scope, receive, send_measured)
        finally:
            exchange.end()


def _around_lifespan(app: Starlette) -> Lifespan[Starlette]:
    """Return the lifespan of an application, with our part in it; a middleware would have to look at every scope."""
    lifespan_context = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: Starlette) -> AsyncIterator[Mapping[str, object] | None]:
        try:
            async with lifespan_context(started) as state:
                # A model that is loaded at the start may bring routes.
                measure_routes(app.routes)
                yield state
        finally:
            await _flush_log()

    # Starlette's type forbids what it allows, a state that may be none.
    return cast("Lifespan[Starlette]", lifespan)


async def _flush_log() -> None:
    """Have what is logged by now delivered: a server that is stopped may end by the signal, and not run `atexit`."""
    # Where this is not loaded, nobody has the monitor whose log ends with the process.
    library = sys.modules.get("perfcli.logs.library")
    if library is not None:
        # In a thread that no endpoint holds, even if all of those hang.
        await to_thread.run_sync(library.flush, limiter=CapacityLimiter(1))


async def _send_last(message: Message, send: Send, exchange: Exchange) -> None:
    await send(message)
    exchange.end()
