"""The search for capacity against a server whose capacity is known: some slots, each of them busy for a while."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from perfcli.cli.loading import aimed, default_scenario
from perfcli.loadtest.planning import LoadOptions, plan_load

Run = Callable[..., subprocess.CompletedProcess[str]]
NULL_SERVER = Path(__file__).parents[1] / "engine" / "server.py"
ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n{"predictions":[1]}'
SLOTS = 4
BUSY_S = 0.02


class SlotServer:
    """Serves in a thread; `busy_s` holds what a slot really took, which a timer makes a little longer than asked."""

    def __init__(self) -> None:
        self.busy_s: list[float] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    @property
    def capacity_rps(self) -> float:
        return SLOTS * len(self.busy_s) / sum(self.busy_s)

    def __enter__(self) -> SlotServer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        slots = asyncio.Semaphore(SLOTS)
        connections: set[asyncio.Task[None]] = set()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(asyncio.current_task())  # type: ignore[arg-type]
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                    await reader.readexactly(length)
                    async with slots:
                        started = self._loop.time()
                        await asyncio.sleep(BUSY_S)
                        self.busy_s.append(self._loop.time() - started)
                    writer.write(ANSWER)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


@pytest.fixture
def slots() -> Iterator[SlotServer]:
    with SlotServer() as server:
        yield server


@pytest.mark.slow
def test_capacity_of_four_slots_is_found_in_few_probes(perfcli: Run, slots: SlotServer) -> None:
    done = perfcli(
        "capacity", "--host", f"http://127.0.0.1:{slots.port}", "--slo", "p50 < 200ms", "--slo", "error_rate < 1%",
        "--start", "100", "--probe-time", "6s", "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"]) == (0, "found"), done.stderr
    # The machine of a test is shared: the bound is wider than what is measured on a quiet one.
    assert document["capacity"] == pytest.approx(slots.capacity_rps, rel=0.15)
    assert [probe["outcome"] for probe in document["probes"][-2:]] == ["holds", "holds"]
    assert len(document["probes"]) <= 12


@pytest.mark.slow
def test_impossible_slo_is_refused_at_the_lowest_load(perfcli: Run, slots: SlotServer) -> None:
    url = f"http://127.0.0.1:{slots.port}"
    done = perfcli("capacity", "--by", "users", "--host", url, "--slo", "max < 5ms", "--probe-time", "4s", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["capacity"]) == (1, "below", None), done.stderr
    assert document["reason"].startswith("at 1 user already: max < 5ms: max is ")


def test_search_without_anything_that_must_hold_is_refused(perfcli: Run) -> None:
    assert perfcli("capacity").returncode == 2
    assert perfcli("capacity", "--slo", "p99 <").returncode == 2
    assert perfcli("capacity", "--slo", "p50 < 1s", "--host", "http://127.0.0.1:9").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--by", "users", "--slo", "dropped < 1%"], "Only an open loop has arrivals that can be dropped"),
        (["--workers", "1,none", "--slo", "p50 < 1s"], "--workers 1,none: these are no whole numbers above 0."),
        (["--workers", "2", "--host", "http://127.0.0.1:9", "--slo", "p50 < 1s"], "--workers is for the embedded API"),
    ],
)
def test_search_that_makes_no_sense_is_refused_before_it_starts(perfcli: Run, arguments: list[str], words: str) -> None:
    done = perfcli("capacity", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.slow
def test_each_number_of_workers_is_searched_with_a_server_of_its_own(perfcli: Run) -> None:
    # No service answers within a nanosecond, so that each search fails at one user, and makes sure of it.
    done = perfcli(
        "capacity", "--workers", "2,1", "--by", "users", "--slo", "max < 1ns", "--probe-time", "4s", "--json"
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["workers"]) == (1, "below", 1), done.stderr
    assert [(each["workers"], len(each["probes"]), each["outcome"]) for each in document["settings"]] == [
        (1, 2, "below"),
        (2, 2, "below"),
    ]
    told = [line.partition(" after ")[0] for line in done.stderr.splitlines()]
    assert [line for line in told if line.startswith("workers") or line.endswith("fails")] == [
        "workers: 1", "1 user: fails", "1 user: fails", "workers: 2", "1 user: fails", "1 user: fails"
    ]  # fmt: skip


@pytest.mark.slow
def test_embedded_api_runs_with_as_many_workers_as_are_searched() -> None:
    plan = plan_load(LoadOptions(scenario=default_scenario()))
    with aimed(plan, workers=2):
        below = [process.cmdline() for process in psutil.Process().children(recursive=True)]
        assert sum("--multiprocessing-fork" in command for command in below) == 2


BUSY = """
import time
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def predict(self):
        # So much of the generator's own time for each request that no server can be the limit.
        ends = time.thread_time() + 0.02
        while time.thread_time() < ends:
            pass
        self.post(self.payload())
"""


@pytest.fixture
def null_url() -> Iterator[str]:
    """Serve answers that cost next to nothing, from a process of its own."""
    with subprocess.Popen([sys.executable, str(NULL_SERVER)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


@pytest.mark.slow
def test_capacity_beyond_what_the_generator_can_do_is_not_known(perfcli: Run, null_url: str, tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    (tmp_path / "row.json").write_text('{"a": 1}')
    done = perfcli(
        "capacity", "--host", null_url, "--payloads", "row.json", "--scenario", "busy.py", "--slo", "p50 < 5ms",
        "--start", "100", "--probe-time", "3s", "--timeout", "1s", "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["capacity"]) == (4, "generator-bound", None), done.stderr
    assert [(probe["load"], probe["outcome"]) for probe in document["probes"]] == [(100, "generator-bound")] * 3
    assert document["reason"].startswith("the generator could not keep up: ")
