"""A stranger's application, instrumented by one line; run as a program it serves on an inherited socket.

Every endpoint stamps itself: its wall time, the CPU time of its thread and the calls it makes are the truth that the
records are compared with. Between that stamp and the measured block a thread may lose the processor, so the block is
stamped around, too.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import itertools
import socket
import sys
import time
from collections.abc import AsyncIterator
from types import CodeType, TracebackType

import uvicorn
from fastapi import BackgroundTasks, FastAPI
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from perfcli import instrument, performance_monitor
from perfcli.api.exchange import current_exchange
from perfcli.monitor import Block, PerformanceMonitor
from perfcli.monitor.context import Request

SLEEP_S = 0.005
BURN_NS = 50_000_000

app = FastAPI()
finished_background: list[str] = []
_strangers: list[cProfile.Profile] = []
_outer_wall_ms: dict[str, float] = {}


class _StampedBlock(Block):
    """A block with a watch around it."""

    def __enter__(self) -> Block:
        self._outer_ns = time.perf_counter_ns()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        outer_ns = time.perf_counter_ns() - self._outer_ns
        if (exchange := current_exchange()) is not None:
            _outer_wall_ms[exchange.transaction_id] = outer_ns / 1e6


class _StampedMonitor(PerformanceMonitor):
    def profile_endpoint(self, code: CodeType, request: Request | None = None) -> Block:
        return _StampedBlock(self._sampler, self._cost, code, request)


def _spin() -> int:
    total = 0
    for number in range(2000):
        total += number
    return total


def _burn() -> int:
    """Use CPU until the thread has had its share; return the calls this made, its own included."""
    calls = 2
    end_ns = time.thread_time_ns() + BURN_NS
    while time.thread_time_ns() < end_ns:
        _spin()
        calls += 2
    return calls


class _Stamp:
    """The endpoint's own watch."""

    def __init__(self) -> None:
        self._cpu_ns = time.thread_time_ns()
        self._wall_ns = time.perf_counter_ns()

    def answer(self, calls: int = 0) -> dict[str, float]:
        wall_ns = time.perf_counter_ns() - self._wall_ns
        return {
            "wall_ms": wall_ns / 1e6,
            "cpu_ms": (time.thread_time_ns() - self._cpu_ns) / 1e6,
            "calls": calls,
        }


@app.get("/def/sleep")
def sleep() -> dict[str, float]:
    stamp = _Stamp()
    time.sleep(SLEEP_S)
    return stamp.answer()


@app.get("/def/burn")
def burn() -> dict[str, float]:
    stamp = _Stamp()
    return stamp.answer(_burn())


@app.get("/async/sleep")
async def sleep_async() -> dict[str, float]:
    stamp = _Stamp()
    await asyncio.sleep(SLEEP_S)
    return stamp.answer()


@app.get("/async/burn")
async def burn_async() -> dict[str, float]:
    stamp = _Stamp()
    return stamp.answer(_burn())


@app.get("/fail")
def fail() -> None:
    raise RuntimeError("on purpose")


@app.get("/stream")
def stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(200):
            await asyncio.sleep(0)
            yield bytes([number % 256]) * (number * 37 % 5000)

    return StreamingResponse(chunks(), media_type="application/octet-stream", headers={"X-Own": "kept"})


@app.get("/background")
def background(tasks: BackgroundTasks, name: str) -> dict[str, str]:
    tasks.add_task(finished_background.append, name)
    return {"name": name}


@app.get("/background/finished")
async def background_finished() -> list[str]:
    return finished_background


async def strangers(scope: Scope, receive: Receive, send: Send) -> None:
    """Use a profiler that is not ours, as a debugger or a coverage tool would; not an endpoint, so never measured."""
    action = {
        "/stranger/on": _switch_on,
        "/stranger/off": _switch_off,
        "/stranger/alone": _profile_alone,
        "/stranger/walls": _walls_around,
    }[scope["path"]]
    await JSONResponse(await action())(scope, receive, send)


async def _switch_on() -> int:
    """Switch it on between two predictions; return the attempts that took."""
    for attempt in itertools.count(1):
        profiler = cProfile.Profile()
        try:
            profiler.enable()
        except ValueError:
            # Since Python 3.12 there is one for all threads, and at this moment it is ours.
            await asyncio.sleep(0.0005)
            continue
        _strangers.append(profiler)
        return attempt
    raise AssertionError


async def _switch_off() -> None:
    _strangers.pop().disable()


async def _profile_alone() -> int:
    """Profile as if nobody else ever had; return the calls of one function."""
    profiler = cProfile.Profile()
    profiler.enable()
    _spin()
    profiler.disable()
    return sum(entry.callcount for entry in profiler.getstats() if getattr(entry.code, "co_name", "") == "_spin")


async def _walls_around() -> dict[str, float]:
    """Return what the watches around the blocks said, by request id."""
    return _outer_wall_ms


app.mount("/stranger", strangers)
instrument(app, _StampedMonitor(performance_monitor.emit, enabled=performance_monitor.enabled))


if __name__ == "__main__":
    # An endpoint in which it collects would call the finalizers of others, which its stamp does not know of.
    gc.disable()
    config = uvicorn.Config(app, http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
