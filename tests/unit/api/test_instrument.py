"""What `instrument` reaches, driven as raw ASGI in one process: every kind of route, whoever came first."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Host, Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perfcli.api import instrument as middleware
from perfcli.api.exchange import Exchange
from perfcli.api.instrument import instrument
from perfcli.monitor import Measurement, PerformanceMonitor


@dataclass
class _Watched:
    """A monitor, and what it emitted."""

    measurements: list[Measurement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.monitor = PerformanceMonitor(self.measurements.append, enabled=True)

    def ids(self) -> list[str | None]:
        return [measurement.transaction_id for measurement in self.measurements]


@pytest.fixture
def watched() -> _Watched:
    return _Watched()


class _UnhandledError(Exception):
    """What an endpoint raises that nobody handles; a server is told of it too, and logs it."""


def _get(app: ASGIApp, path: str, request_id: str = "id", root_path: str = "") -> list[Message]:
    """Make one request in a context of its own, as a server does; return all messages."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": root_path,
        "query_string": b"",
        "headers": [(b"host", b"api.local"), (b"x-request-id", request_id.encode())],
    }
    with suppress(_UnhandledError):
        contextvars.Context().run(asyncio.run, app(scope, receive, send))
    return sent


def _header(messages: list[Message], name: bytes) -> bytes | None:
    return dict(messages[0]["headers"]).get(name)


def _plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


async def _coroutine(request: Request) -> PlainTextResponse:
    await asyncio.sleep(0)
    return PlainTextResponse("coroutine")


class _Service:
    """A model and its endpoints in one object."""

    def plain(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse("method")

    async def coroutine(self, request: Request, word: str = "coroutine method") -> PlainTextResponse:
        await asyncio.sleep(0)
        return PlainTextResponse(word)


class _PassOn:
    """A middleware of a route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def _starlette() -> Starlette:
    return Starlette(
        routes=[
            Route("/plain", _plain),
            Route("/coroutine", _coroutine),
            Route("/wrapped", _plain, middleware=[Middleware(_PassOn)]),
            Mount("/inner", routes=[Route("/plain", _plain)]),
        ]
    )


def _fastapi() -> FastAPI:
    app, router = FastAPI(), APIRouter()

    @app.get("/plain")
    def plain() -> str:
        return "plain"

    @router.get("/plain")
    def routed() -> str:
        return "routed"

    @app.get("/coroutine")
    async def coroutine() -> str:
        await asyncio.sleep(0)
        return "coroutine"

    app.include_router(router, prefix="/inner")
    return app


@pytest.fixture(params=[_starlette, _fastapi])
def app(request: pytest.FixtureRequest) -> Starlette:
    app: Starlette = request.param()
    return app


@pytest.mark.parametrize("path", ["/plain", "/coroutine", "/inner/plain"])
def test_every_kind_of_route_has_one_record_with_the_id_of_its_request(
    app: Starlette, path: str, watched: _Watched
) -> None:
    messages = _get(instrument(app, watched.monitor), path)
    assert messages[0]["status"] == 200
    assert _header(messages, b"x-request-id") == b"id"
    phases = [metric.partition(b";")[0] for metric in (_header(messages, b"server-timing") or b"").split(b", ")]
    # Starlette does not say when it has read the input.
    assert phases == ([b"parse", b"queue", b"total"] if isinstance(app, FastAPI) else [b"total"])
    assert watched.ids() == ["id"]


async def _ask(app: ASGIApp, path: str, heard: Callable[[str], None]) -> None:
    """Make one request in the context of the caller; tell the types of the messages."""
    nothing_comes = asyncio.Event()

    async def receive() -> Message:
        await nothing_comes.wait()
        raise AssertionError

    async def send(message: Message) -> None:
        heard(message["type"])

    await app({"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}, receive, send)


async def _live(app: ASGIApp, meanwhile: Callable[[], Awaitable[None]]) -> tuple[dict[str, str], list[str]]:
    """Start an application, and end it after that; return its state, and the types of its messages."""
    state: dict[str, str] = {}
    heard: list[str] = []
    steps = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        step = next(steps)
        if step == "lifespan.shutdown":
            await meanwhile()
        return {"type": step}

    async def send(message: Message) -> None:
        heard.append(message["type"])

    await app({"type": "lifespan", "state": state}, receive, send)
    return state, heard


def test_a_client_has_its_answer_before_anything_is_logged(app: Starlette) -> None:
    seen: list[str] = []
    monitor = PerformanceMonitor(lambda measurement: seen.append("log"), enabled=True)
    contextvars.Context().run(asyncio.run, _ask(instrument(app, monitor), "/plain", seen.append))
    assert seen == ["http.response.start", "http.response.body", "log"]


def test_requests_of_one_context_are_measured_apart_also_where_another_task_sends_the_body(watched: _Watched) -> None:
    def streamed(request: Request) -> StreamingResponse:
        return StreamingResponse(iter(["a", "b"]))

    app = instrument(Starlette(routes=[Route("/streamed", streamed)]), watched.monitor)

    async def ask_twice() -> None:
        for _ in range(2):
            await _ask(app, "/streamed", lambda message: None)

    contextvars.Context().run(asyncio.run, ask_twice())
    assert len(set(watched.ids())) == 2


def test_middleware_of_a_route_stays_around_its_endpoint(watched: _Watched) -> None:
    assert _get(instrument(_starlette(), watched.monitor), "/wrapped")[1]["body"] == b"plain"
    assert watched.ids() == ["id"]


@pytest.mark.parametrize(
    ("endpoint", "answer"),
    [
        (_Service().plain, b"method"),
        (_Service().coroutine, b"coroutine method"),
        (partial(_plain), b"plain"),
        (partial(partial(_Service().coroutine), word="partial"), b"partial"),
    ],
)
def test_methods_and_partial_functions_are_measured_like_functions(
    endpoint: Callable[[Request], PlainTextResponse], answer: bytes, watched: _Watched
) -> None:
    messages = _get(instrument(Starlette(routes=[Route("/score", endpoint)]), watched.monitor), "/score")
    assert messages[1]["body"] == answer
    assert watched.ids() == ["id"]


def test_routes_may_come_after_it(watched: _Watched) -> None:
    late, later = instrument(FastAPI(), watched.monitor), instrument(Starlette(), watched.monitor)
    late.get("/late")(lambda: "late")
    later.router.routes.append(Route("/late", _plain))
    _get(late, "/late", "fastapi")
    _get(later, "/late", "starlette")
    assert watched.ids() == ["fastapi", "starlette"]


@pytest.mark.parametrize("make", [FastAPI, Starlette])
def test_routes_that_the_lifespan_adds_are_measured_and_its_state_is_kept(
    make: Callable[..., Starlette], watched: _Watched
) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        app.add_route("/late", _plain)
        yield {"model": "loaded"}
        seen.append("ended")

    app = instrument(make(lifespan=lifespan), watched.monitor)
    state, heard = asyncio.run(_live(app, lambda: _ask(app, "/late", seen.append)))
    assert state == {"model": "loaded"}
    assert heard == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert seen == ["http.response.start", "http.response.body", "ended"]
    assert len(watched.ids()) == 1


@pytest.mark.parametrize("make", [FastAPI, Starlette])
def test_the_answer_to_an_exception_that_nobody_handles_has_the_id_of_its_record(
    make: Callable[[], Starlette], watched: _Watched
) -> None:
    def fail(request: Request) -> None:
        raise _UnhandledError

    app = instrument(make(), watched.monitor)
    app.add_route("/fail", fail)
    messages = _get(app, "/fail")
    assert (messages[0]["status"], _header(messages, b"x-request-id")) == (500, b"id")
    assert (_header(messages, b"server-timing") or b"").startswith(b"total;dur=")
    [measurement] = watched.measurements
    assert (measurement.transaction_id, measurement.document()["error"]) == ("id", "_UnhandledError")


def test_it_lies_around_middleware_that_is_added_later(watched: _Watched) -> None:
    class Refusal:
        def __init__(self, app: ASGIApp) -> None:
            pass

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("refused", 403)(scope, receive, send)

    app = instrument(_starlette(), watched.monitor)
    app.add_middleware(Refusal)
    messages = _get(app, "/plain")
    assert (messages[0]["status"], _header(messages, b"x-request-id")) == (403, b"id")


def test_an_id_that_the_application_answers_with_is_the_only_one(watched: _Watched) -> None:
    def named(request: Request) -> PlainTextResponse:
        return PlainTextResponse("named", headers={"X-Request-ID": "its own"})

    messages = _get(instrument(Starlette(routes=[Route("/named", named)]), watched.monitor), "/named")
    assert [value for name, value in messages[0]["headers"] if name == b"x-request-id"] == [b"its own"]
    assert _header(messages, b"server-timing") is not None
    assert watched.ids() == ["id"]


def test_a_mounted_application_is_measured_by_itself_or_with_the_one_around_it(watched: _Watched) -> None:
    for outer in (Starlette(), instrument(Starlette(), watched.monitor)):
        outer.mount("/inner", instrument(_starlette(), watched.monitor))
        messages = _get(outer, "/inner/plain")
        assert [name for name, _ in messages[0]["headers"]].count(b"x-request-id") == 1
    assert watched.ids() == ["id", "id"]


def test_an_application_that_serves_already_is_refused(app: Starlette, watched: _Watched) -> None:
    _get(app, "/plain")
    with pytest.raises(RuntimeError, match="comes too late"):
        instrument(app, watched.monitor)


def test_instrumented_twice_it_measures_once(app: Starlette, watched: _Watched) -> None:
    messages = _get(instrument(instrument(app, watched.monitor), watched.monitor), "/plain")
    assert [name for name, _ in messages[0]["headers"]].count(b"x-request-id") == 1
    assert watched.ids() == ["id"]


def test_the_monitor_is_switched_while_the_application_serves(app: Starlette, watched: _Watched) -> None:
    instrument(app, watched.monitor)
    _get(app, "/plain", "on")
    watched.monitor.disable()
    off = _get(app, "/plain", "off")
    watched.monitor.enable()
    _get(app, "/plain", "on-again")
    assert {b"x-request-id", b"server-timing"}.isdisjoint(dict(off[0]["headers"]))
    assert watched.ids() == ["on", "on-again"]


def test_other_paths_are_left_alone(app: Starlette, watched: _Watched) -> None:
    instrument(app, watched.monitor, paths=["/plain"])
    assert _header(_get(app, "/coroutine"), b"x-request-id") is None
    assert watched.ids() == []


def test_a_request_that_reaches_no_endpoint_has_an_id_and_no_record(app: Starlette, watched: _Watched) -> None:
    messages = _get(instrument(app, watched.monitor), "/nowhere")
    assert (messages[0]["status"], _header(messages, b"x-request-id")) == (404, b"id")
    assert watched.ids() == []


def test_an_application_beside_it_is_not_measured(watched: _Watched) -> None:
    instrument(_fastapi(), watched.monitor).build_middleware_stack()
    messages = _get(_fastapi(), "/plain")
    assert _header(messages, b"server-timing") is None
    assert watched.ids() == []


def test_a_cancelled_request_runs_the_clean_up_of_its_endpoint(watched: _Watched) -> None:
    app = instrument(FastAPI(), watched.monitor)
    running, seen = asyncio.Event(), []

    @app.get("/wait")
    async def wait() -> None:
        try:
            running.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    async def cancel() -> None:
        scope: Scope = {"type": "http", "method": "GET", "path": "/wait", "query_string": b"", "headers": []}
        request = asyncio.create_task(app(scope, receive, send))
        await running.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    asyncio.run(cancel())
    assert seen == ["cancelled"]
    assert [measurement.document()["error"] for measurement in watched.measurements] == ["CancelledError"]


def test_by_default_what_operators_and_browsers_ask_for_is_not_measured(watched: _Watched) -> None:
    app = FastAPI()
    for path in ("/health", "/metrics", "/score", "/health/score"):
        app.get(path)(lambda: 1)
    instrument(app, watched.monitor)
    for path in ("/health", "/metrics", "/docs", "/redoc", "/openapi.json", "/score", "/health/score"):
        _get(app, path, request_id=path)
    assert watched.ids() == ["/score", "/health/score"]


def test_paths_that_are_named_are_measured_whatever_they_are_called(watched: _Watched) -> None:
    app = FastAPI()
    app.get("/health")(lambda: 1)
    instrument(app, watched.monitor, paths={"/health"})
    _get(app, "/health")
    assert watched.ids() == ["id"]


def test_a_root_path_is_no_part_of_the_paths_that_are_named(watched: _Watched) -> None:
    app = FastAPI()
    for path in ("/health", "/score"):
        app.get(path)(lambda: 1)
    instrument(app, watched.monitor)
    for path in ("/api/health", "/api/score"):
        _get(app, path, request_id=path, root_path="/api")
    assert watched.ids() == ["/api/score"]


def test_a_request_that_a_server_begins_while_it_answers_another_is_measured(watched: _Watched) -> None:
    app = instrument(_starlette(), watched.monitor)
    tasks: list[asyncio.Task[None]] = []

    def begin_next(kind: str) -> None:
        # As uvicorn does with a pipelined request: in the context of the one before.
        if kind == "http.response.body" and len(tasks) < 3:
            tasks.append(asyncio.get_running_loop().create_task(_ask(app, "/plain", begin_next)))

    async def serve() -> None:
        await _ask(app, "/plain", begin_next)
        # It grows meanwhile.
        for task in tasks:
            await task

    contextvars.Context().run(asyncio.run, serve())
    assert len(set(watched.ids())) == 4


def test_what_could_never_be_measured_is_refused(watched: _Watched) -> None:
    with pytest.raises(TypeError, match=r"a list of paths, such as \['/score'\]"):
        instrument(FastAPI(), watched.monitor, paths="/score")
    with pytest.raises(ValueError, match="a path begins with a slash: score"):
        instrument(FastAPI(), watched.monitor, paths=["/plain", "score"])
    with pytest.raises(TypeError, match="not Flask"):
        instrument(type("Flask", (), {})(), watched.monitor)


def test_without_starlette_instrument_says_what_to_install() -> None:
    script = "import sys; sys.modules['starlette'] = None; from perfcli import instrument"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "perfcli.errors.MissingExtraError: instrument(app) needs packages that are not installed. "
        "Install them with: pip install 'perfcli[serve]'"
    )


def _spend(nanoseconds: int) -> None:
    end_ns = time.perf_counter_ns() + nanoseconds
    while time.perf_counter_ns() < end_ns:
        pass


def _cost_ms(monitor: PerformanceMonitor) -> float:
    cost_ms = monitor.cost()["monitor_ms"]
    assert isinstance(cost_ms, float)
    return cost_ms


def test_the_cost_of_the_monitor_has_all_that_it_does_on_the_way_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(function: Callable[..., object]) -> Callable[..., object]:
        def spending(*args: object) -> object:
            _spend(200_000)
            return function(*args)

        return spending

    monitor = PerformanceMonitor(slow(lambda measurement: None), enabled=True, sample_rate=0.0)  # type: ignore[arg-type]
    monkeypatch.setattr(middleware, "server_timing", slow(middleware.server_timing))
    monkeypatch.setattr(Exchange, "_take_id", slow(Exchange._take_id))
    app = instrument(Starlette(routes=[Route("/plain", _plain)]), monitor)
    for _ in range(20):
        _get(app, "/plain")
    assert _cost_ms(monitor) >= 20 * 0.6


def test_what_the_monitor_waits_for_the_interpreter_is_not_its_cost() -> None:
    monitor = PerformanceMonitor(lambda measurement: time.sleep(0.05), enabled=True, sample_rate=0.0)
    app = instrument(Starlette(routes=[Route("/plain", _plain)]), monitor)
    _get(app, "/plain")
    assert 1 <= _cost_ms(monitor) <= 2


def test_routes_of_a_host_are_measured(watched: _Watched) -> None:
    app = instrument(Starlette(routes=[Host("api.local", Router([Route("/plain", _plain)]))]), watched.monitor)
    assert _get(app, "/plain", "host")[0]["status"] == 200
    assert watched.ids() == ["host"]
