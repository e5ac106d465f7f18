"""`perfcli load` as the process a person starts, against a server that counts what it served."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

SERVER = Path(__file__).parents[1] / "engine" / "server.py"
EXACT_SERVER = Path(__file__).with_name("exact_server.py")
LIMIT_S = 90


@dataclass
class CountingServer:
    """The server of tests/integration/engine."""

    url: str

    def read(self, report: str) -> dict[str, Any]:
        with urlopen(f"{self.url}/{report}", timeout=10) as answer:
            content: dict[str, Any] = json.load(answer)
        return content

    def started(self) -> int:
        counts: dict[str, int] = self.read("count")["started"]
        return sum(counts.values())

    def served(self) -> int:
        counts: dict[str, int] = self.read("count")["served"]
        return sum(counts.values())

    def wait_for_requests(self, count: int = 1) -> None:
        deadline = time.monotonic() + LIMIT_S
        while self.started() < count:
            assert time.monotonic() < deadline, "no request arrived"
            time.sleep(0.05)


@dataclass
class ExactServer:
    """The server of `exact_server.py`."""

    url: str

    def read(self) -> dict[str, list[int]]:
        with urlopen(f"{self.url}/record", timeout=10) as answer:
            record: dict[str, list[int]] = json.load(answer)
        return record

    def ask_bare(self, query: str, requests: int) -> list[int]:
        """Ask one request after the other with nothing around the socket; return the latencies in nanoseconds."""
        latencies_ns = []
        with socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2]))) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(requests):
                sent_ns = time.perf_counter_ns()
                connection.sendall(f"POST /predict?{query} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
                connection.recv(65536)
                latencies_ns.append(time.perf_counter_ns() - sent_ns)
        return latencies_ns


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def record(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        assert self.stdout, self.stderr
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def requests(self) -> int:
        """Requests of the whole run, warm-up included."""
        return sum(second["requests"] for second in self.record["seconds"])


class Command:
    """A perfcli that runs."""

    def __init__(self, *arguments: str, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "perfcli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            # Ctrl-C reaches all of a terminal's group; so does `interrupt` below.
            start_new_session=True,
        )

    def interrupt(self, number: int = signal.SIGINT) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def finish(self) -> Outcome:
        stdout, stderr = self.process.communicate(timeout=LIMIT_S)
        return Outcome(self.process.returncode, stdout, stderr)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cache that the tests share, so that the engine is calibrated once."""
    return {"PERFCLI_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture
def start(cache: dict[str, str]) -> Iterator[Callable[..., Command]]:
    """Start `perfcli ARGUMENTS`."""
    commands: list[Command] = []

    def run(*arguments: str, **environment: str) -> Command:
        commands.append(Command(*arguments, environment={**cache, **environment}))
        return commands[-1]

    yield run
    for command in commands:
        command.close()


@pytest.fixture
def perfcli(start: Callable[..., Command]) -> Callable[..., Outcome]:
    """Run `perfcli ARGUMENTS` to its end."""
    return lambda *arguments, **environment: start(*arguments, **environment).finish()


@pytest.fixture
def exact_server(start_process: Callable[..., subprocess.Popen[str]]) -> Callable[[], ExactServer]:
    """Start servers that know to the microsecond how long they took."""
    return lambda: ExactServer(_served_url(start_process, EXACT_SERVER))


@pytest.fixture
def serve(start_process: Callable[..., subprocess.Popen[str]]) -> Callable[[], CountingServer]:
    """Start servers with counts at zero."""
    return lambda: CountingServer(_served_url(start_process, SERVER))


def _served_url(start_process: Callable[..., subprocess.Popen[str]], program: Path) -> str:
    process = start_process([sys.executable, str(program)])
    assert process.stdout is not None
    return f"http://127.0.0.1:{int(process.stdout.readline())}"


@pytest.fixture
def server(serve: Callable[[], CountingServer]) -> CountingServer:
    """A server of this test's own."""
    return serve()


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str], str]:
    """Write a locustfile and return its path."""

    def write(text: str) -> str:
        file = tmp_path / "scenario_of_a_user.py"
        file.write_text(text)
        return str(file)

    return write
