"""Servers in processes of their own, and a client that costs them nothing."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


class Client:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)

    def request(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        """Send bytes as they are and anything else as JSON, both declared as JSON."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        declared = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, path, content, declared | (headers or {}))
        response = self._connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def close(self) -> None:
        self._connection.close()


@dataclass
class Server:
    """A running server, and what it wrote."""

    port: int
    process: subprocess.Popen[bytes]
    log_file: Path

    def client(self) -> Client:
        return Client(self.port)

    def request(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        """Make one request on a connection of its own."""
        client = self.client()
        try:
            return client.request(method, path, body, headers)
        finally:
            client.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def log(self) -> list[dict[str, object]]:
        """Return the lines of stdout so far; every one must be JSON."""
        written = self.log_file.read_bytes()
        return [json.loads(line) for line in written[: written.rfind(b"\n") + 1].splitlines()]

    def log_of(self, request_id: str) -> list[dict[str, object]]:
        return [line for line in self.log() if line["transaction_id"] == request_id]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + _TIMEOUT_S
        while not condition():
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < deadline_s, "it did not happen in time"
            time.sleep(0.01)

    def stop(self) -> int:
        """End it as an operator does; return its exit status."""
        self.process.terminate()
        return self.process.wait(_TIMEOUT_S)


@contextmanager
def _running(command: list[str], folder: Path, ready_path: str, environment: dict[str, str]) -> Iterator[Server]:
    log_file = folder / "stdout"
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        log_file.open("wb") as log,
        log_file.with_name("stderr").open("wb") as errors,
    ):
        process = subprocess.Popen(
            [sys.executable, *command, str(listener.fileno())],
            env=os.environ | {"LOG_SPOOL_DIR": str(folder / "spool")} | environment,
            # No .env of the developer's.
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=errors,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        server = Server(listener.getsockname()[1], process, log_file)
    try:
        server.wait_until(lambda: _answers(server, ready_path))
        yield server
    finally:
        process.kill()
        process.communicate()


def _answers(server: Server, path: str) -> bool:
    try:
        return server.get(path).status == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start a program that serves on the socket whose descriptor is its last argument; stop it after the module."""
    with ExitStack() as running:

        def start(command: list[str], ready_path: str, **environment: str) -> Server:
            folder = tmp_path_factory.mktemp("server")
            return running.enter_context(_running(command, folder, ready_path, environment))

        yield start


@pytest.fixture(scope="module")
def start_api(start_server: Callable[..., Server]) -> Callable[..., Server]:
    """Start the embedded API, monitoring on unless the environment says otherwise."""

    def start(**environment: str) -> Server:
        return start_server(
            ["-m", "perfcli.api.process"], "/ready", **{"ENABLE_PERFORMANCE_MONITORING": "true"} | environment
        )

    return start


@pytest.fixture(scope="module")
def api(start_api: Callable[..., Server]) -> Server:
    """The embedded API with monitoring on."""
    return start_api()


@pytest.fixture(scope="module")
def instrumented(start_server: Callable[..., Server]) -> Server:
    """A stranger's application with one line of ours in it."""
    program = str(Path(__file__).with_name("instrumented_app.py"))
    return start_server([program], "/background/finished", ENABLE_PERFORMANCE_MONITORING="true")
