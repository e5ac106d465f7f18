"""Measure the endpoints of an application where they run: a `def` endpoint inside its worker thread.

A middleware runs on the event loop, and a `def` endpoint in a thread of AnyIO's that cProfile, switched on over there,
would never see. So the endpoint itself is wrapped. FastAPI calls every endpoint through `run_endpoint_function`, which
it keeps apart "to facilitate profiling endpoints": one replacement covers all routes of all routers, those added later
too, and does nothing outside of an instrumented application. Starlette binds an endpoint when the route is made, so
there the routes are walked. Generators, class-based endpoints and mounted ASGI applications are not wrapped; their
requests have an id and Server-Timing, and no measurement.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable
from time import perf_counter_ns, thread_time_ns
from types import FunctionType, MethodType, SimpleNamespace
from typing import TypeAlias, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Host, Mount, Route, request_response

from perfcli.api.exchange import Exchange, current_exchange
from perfcli.monitor import Block
from perfcli.monitor.context import CURRENT_REQUEST

Endpoint: TypeAlias = Callable[..., object]

_SEAM = "run_endpoint_function"
_MARK = "perfcli_measures_it"


def measure_fastapi() -> None:
    """Have FastAPI measure the endpoints of instrumented applications; more than once is no more than once."""
    routing = sys.modules.get("fastapi.routing")
    original = getattr(routing, _SEAM, None)
    if original is not None and not hasattr(original, _MARK):
        setattr(routing, _SEAM, _run_measured(original))


def measure_routes(routes: Iterable[BaseRoute]) -> None:
    """Have Starlette measure the functions behind these routes; FastAPI's own routes are left to it."""
    for route in routes:
        if isinstance(route, Mount | Host):
            measure_routes(route.routes)
        elif type(route) is Route and _is_function(route.endpoint) and not hasattr(route, _MARK):
            setattr(route, _MARK, True)
            _measure_route(route)


def _is_function(endpoint: Endpoint) -> bool:
    """Tell, as Starlette does, what takes a request from a class or an application of its own."""
    return isinstance(_behind_partials(endpoint), FunctionType | MethodType)


def _behind_partials(endpoint: Endpoint) -> Endpoint:
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    return endpoint


def _run_measured(original: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    """Return what stands in for `fastapi.routing.run_endpoint_function`."""
    # By identity, as a callable need not be hashable; it is kept beside, so that no other one gets its identity.
    measured: dict[int, tuple[Endpoint, SimpleNamespace]] = {}

    def run_endpoint_function(
        *, dependant: SimpleNamespace, values: object, is_coroutine: bool, **rest: object
    ) -> Awaitable[object]:
        exchange = CURRENT_REQUEST.get()
        if isinstance(exchange, Exchange):
            exchange.called_ns = perf_counter_ns()
            call = dependant.call
            known = measured.get(id(call))
            if known is None:
                # The function is all that the original reads of a dependant.
                known = measured[id(call)] = (call, SimpleNamespace(call=_measured(call, is_coroutine)))
            dependant = known[1]
        if rest:  # Of a FastAPI to come; to pass it on takes five times as long.
            return original(dependant=dependant, values=values, is_coroutine=is_coroutine, **rest)
        return original(dependant=dependant, values=values, is_coroutine=is_coroutine)

    setattr(run_endpoint_function, _MARK, True)
    return run_endpoint_function


def _measure_route(route: Route) -> None:
    # Middleware of the route, if any, lies around the function, and keeps what it wraps as `app` by convention.
    owner: object = route
    while (inner := getattr(owner, "app", None)) is not None:
        if isinstance(inner, FunctionType):
            is_coroutine = inspect.iscoroutinefunction(_behind_partials(route.endpoint))
            measured = cast(Callable[[Request], Awaitable[Response]], _measured(route.endpoint, is_coroutine))
            setattr(owner, "app", request_response(measured))  # noqa: B010 - it is a route or any middleware
            return
        owner = inner


def _measured(endpoint: Endpoint, is_coroutine: bool) -> Endpoint:
    """Wrap an endpoint so that it measures itself for the current exchange, and is otherwise what it was."""

    def run(*args: object, **values: object) -> object:
        exchange = CURRENT_REQUEST.get()
        if not isinstance(exchange, Exchange):
            return endpoint(*args, **values)
        exchange.entered_ns = perf_counter_ns()
        with exchange.monitor.profile_endpoint(code, exchange):
            return endpoint(*args, **values)

    async def run_steps(*args: object, **values: object) -> object:
        exchange = current_exchange()
        coroutine = cast(Awaitable[object], endpoint(*args, **values))
        if exchange is None:
            return await coroutine
        exchange.entered_ns = perf_counter_ns()
        steps = _Steps(coroutine)
        block = exchange.monitor.profile_endpoint(code)
        with block:
            try:
                return await steps
            finally:
                # The thread's clock ran on while other coroutines did.
                if isinstance(block, Block):
                    block.cpu_ns = steps.cpu_ns

    wrapper: Endpoint = run_steps if is_coroutine else run
    # The monitor tells blocks apart by their code, and one that awaits from one that does not; so each endpoint needs
    # a code object of its own.
    named = _behind_partials(endpoint)
    name = f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', repr(type(named)))}"
    code = wrapper.__code__ = wrapper.__code__.replace(co_name=name, co_qualname=name)
    return functools.wraps(endpoint)(wrapper)


class _Steps:
    """Runs a coroutine, and adds up the CPU time of its steps from one suspension to the next."""

    def __init__(self, coroutine: Awaitable[object]) -> None:
        self._coroutine = coroutine
        self.cpu_ns = 0

    def __await__(self) -> Generator[object, object, object]:
        steps = cast(Generator[object, object, object], self._coroutine.__await__())
        resume: Callable[[], object] = functools.partial(steps.send, None)
        while True:
            started_ns = thread_time_ns()
            try:
                awaited = resume()
            except StopIteration as end:
                return end.value
            finally:
                self.cpu_ns += thread_time_ns() - started_ns
            try:
                resume = functools.partial(steps.send, (yield awaited))
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - a cancellation belongs to the endpoint, whatever it is
                resume = functools.partial(steps.throw, error)
