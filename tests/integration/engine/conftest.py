"""The server that knows the truth, and the engine as the child process it is."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import pytest

from perfcli.loadtest.buckets import highest_in_bucket
from perfcli.loadtest.engine.merge import merge_latencies
from perfcli.loadtest.messages import Crash, End, Endpoint, Hello, Latencies, Message, Second, WorkerLost
from perfcli.loadtest.plan import Plan, plan_to_json
from perfcli.loadtest.wire import from_line

SERVER = Path(__file__).with_name("server.py")
_LIMIT_S = 60.0
_ATTEMPTS = 6


@dataclass
class Server:
    """The server of `server.py`, running."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def plan(self, path: str = "/fast", **options: object) -> Plan:
        """A plan of three users for one mode of the server."""
        return Plan(**{"base_url": self.url, "path": path, "users": 3, "timeout_s": 5.0, **options})

    def read(self, report: str) -> dict[str, object]:
        with urlopen(f"{self.url}/{report}", timeout=10) as answer:
            return json.load(answer)

    def started(self, path: str = "/fast") -> int:
        return self.read("count")["started"].get(path, 0)


@dataclass
class Run:
    """What the engine said."""

    exit_code: int = 0
    stderr: str = ""
    messages: list[Message] = field(default_factory=list)

    @property
    def seconds(self) -> list[Second]:
        return [message for message in self.messages if isinstance(message, Second)]

    @property
    def end(self) -> End:
        return self._only(End)

    @property
    def hello(self) -> Hello:
        return self._only(Hello)

    @property
    def crash(self) -> Crash:
        return self._only(Crash)

    @property
    def lost(self) -> list[WorkerLost]:
        return [message for message in self.messages if isinstance(message, WorkerLost)]

    @property
    def endpoints(self) -> list[Endpoint]:
        return [endpoint for second in self.seconds for endpoint in second.endpoints]

    @property
    def succeeded(self) -> int:
        return sum(endpoint.succeeded.count for endpoint in self.endpoints)

    @property
    def failed(self) -> int:
        return sum(endpoint.failed.count for endpoint in self.endpoints)

    @property
    def failures(self) -> dict[str, int]:
        kinds: Counter[str] = Counter()
        for endpoint in self.endpoints:
            for failures in endpoint.failures:
                kinds[failures.kind] += failures.count
        return dict(kinds)

    @property
    def example(self) -> str:
        return next(failures.example for endpoint in self.endpoints for failures in endpoint.failures)

    def response(self) -> Latencies:
        return merge_latencies(endpoint.succeeded.response for endpoint in self.endpoints)

    def failed_s(self, q: float) -> float:
        return _percentile_s(merge_latencies(endpoint.failed.response for endpoint in self.endpoints), q)

    def service(self) -> Latencies:
        return merge_latencies(
            endpoint.succeeded.service for endpoint in self.endpoints if endpoint.succeeded.service is not None
        )

    def response_s(self, q: float) -> float:
        return _percentile_s(self.response(), q)

    def service_s(self, q: float) -> float:
        return _percentile_s(self.service(), q)

    def _only(self, kind: type) -> Message:
        found = [message for message in self.messages if isinstance(message, kind)]
        assert len(found) == 1, (kind, self.messages[-3:], self.stderr)
        return found[0]


class Witness:
    """Wakes up a hundred times a second while the engine runs: what the machine does to it, it does to the engine.

    Attributes:
        late_s: How late it woke up each time.
        woken_s: When.
    """

    def __init__(self) -> None:
        self.late_s: list[float] = []
        self.woken_s: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        due_s = time.perf_counter()
        while not self._ended.wait(max(0.0, due_s - time.perf_counter())):
            self.woken_s.append(time.perf_counter())
            self.late_s.append(self.woken_s[-1] - due_s)
            due_s += 0.01


def _run_engine(
    plan: Plan,
    on_message: Callable[[Message, subprocess.Popen[bytes]], None] = lambda message, child: None,
    **environment: str,
) -> Run:
    """Run the engine to its end."""
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "perfcli.loadtest.engine", str(writer)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(writer,),
        start_new_session=True,
        env={**os.environ, **environment},
    )
    os.close(writer)
    run = Run()
    # An engine that hangs must fail its test, not stop all others.
    watchdog = threading.Timer(_LIMIT_S, os.killpg, (child.pid, signal.SIGKILL))
    watchdog.start()
    try:
        child.stdin.write(plan_to_json(plan).encode())
        child.stdin.close()
        with os.fdopen(reader) as lines:
            for line in lines:
                run.messages.append(from_line(line))
                on_message(run.messages[-1], child)
        run.stderr = child.stderr.read().decode()
        run.exit_code = child.wait(20)
    finally:
        watchdog.cancel()
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        child.stderr.close()
    return run


def _start_server(*arguments: str) -> Server:
    process = subprocess.Popen([sys.executable, str(SERVER), *arguments], stdout=subprocess.PIPE, text=True)
    return Server(process, int(process.stdout.readline()))


def _stop_server(server: Server) -> None:
    server.process.terminate()
    server.process.wait(10)
    server.process.stdout.close()


@pytest.fixture
def engine() -> Callable[..., Run]:
    """Run the engine to its end: `engine(plan, on_message)`."""
    return _run_engine


@pytest.fixture
def witness() -> type[Witness]:
    """Something else that wants to be on time on the same machine: `with witness() as seen`."""
    return Witness


@pytest.fixture
def in_a_quiet_moment() -> Callable[[Callable[[], None]], None]:
    """Check again what broke: other work on the machine passes, a wrong number of ours comes every time."""

    def check_repeatedly(check: Callable[[], None]) -> None:
        for _ in range(_ATTEMPTS - 1):
            try:
                return check()
            except AssertionError:
                continue
        return check()

    return check_repeatedly


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers with options of their own."""
    running: list[Server] = []

    def start(*arguments: str) -> Server:
        running.append(_start_server(*arguments))
        return running[-1]

    yield start
    for server in running:
        _stop_server(server)


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    """A server of this test's own, with counts at zero."""
    return serve()


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str], str]:
    """Write a locustfile and return its path."""

    def write(text: str) -> str:
        path = tmp_path / "scenario_under_test.py"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def payload_file(tmp_path: Path) -> str:
    """Two patients, one JSON object a line."""
    path = tmp_path / "payloads.jsonl"
    path.write_text('{"mean_radius": 17.99}\n{"mean_radius": 12.25}\n')
    return str(path)


def _percentile_s(latencies: Latencies, q: float) -> float:
    """Nearest rank, in seconds."""
    rank = math.ceil(q * latencies.total)
    for bucket in sorted(latencies.counts):
        rank -= latencies.counts[bucket]
        if rank <= 0:
            return highest_in_bucket(bucket) / 1e9
    raise AssertionError("no values")
