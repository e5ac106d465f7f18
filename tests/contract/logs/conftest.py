"""Servers that speak Elasticsearch: two independent ones, and the official client of each kind to read back."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import elasticsearch
import httpx
import opensearchpy
import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binary(package: str, path: str) -> str:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / path)


def start(name: str, port: int, folder: Path) -> subprocess.Popen[bytes]:
    commands = {
        "osmem": [binary("osmem_server", "bin/osmem-server"), "-addr", f"127.0.0.1:{port}", "-no-stdin-watch"],
        "noida": [
            binary("noida_db", "noida-db"),
            "start",
            "--only",
            "elasticsearch",
            "--elasticsearch-port",
            str(port),
        ],
    }
    arguments = [*commands[name], *(["--data-dir", str(folder)] if name == "noida" else [])]
    return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            if httpx.get(url, timeout=1.0).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    pytest.fail(f"no answer from {url}")


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, tuple[subprocess.Popen[bytes], str]]]:
    """The servers of this module by kind: their processes and their addresses."""
    servers: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
    yield servers
    for process, _ in servers.values():
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def address_of(
    running: dict[str, tuple[subprocess.Popen[bytes], str]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """Run the server of a kind, once, and return its address."""

    def run(kind: str) -> str:
        if kind not in running:
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            running[kind] = start(kind, port, tmp_path_factory.mktemp(kind)), url
            wait_for(url, running[kind][0])
        return running[kind][1]

    return run


@pytest.fixture
def process(
    server: tuple[str, str], running: dict[str, tuple[subprocess.Popen[bytes], str]]
) -> Iterator[subprocess.Popen[bytes]]:
    """The process of the server; it goes on when the test has stopped it."""
    yield running[server[0]][0]
    running[server[0]][0].send_signal(signal.SIGCONT)


@pytest.fixture(params=["osmem", "noida"], scope="module")
def server(request: pytest.FixtureRequest, address_of: Callable[[str], str]) -> tuple[str, str]:
    """A running server: its kind and its address."""
    return request.param, address_of(request.param)


@pytest.fixture
def client(server: tuple[str, str]) -> Iterator[Any]:
    """The official client that this server accepts."""
    kind, url = server
    made = opensearchpy.OpenSearch(url) if kind == "osmem" else elasticsearch.Elasticsearch(url)
    yield made
    made.close()


@pytest.fixture
def documents(client: Any) -> Callable[[str], dict[str, dict[str, Any]]]:
    """Read all documents of the daily indices of a prefix, by id, past every page of the server."""

    def read(index: str) -> dict[str, dict[str, Any]]:
        client.indices.refresh(index=f"{index}-*")
        found: dict[str, dict[str, Any]] = {}
        after: list[Any] | None = None
        while True:
            body = {"size": 1000, "sort": [{"event.id": "asc"}], "query": {"match_all": {}}}
            if after is not None:
                body["search_after"] = after
            hits = search(client, f"{index}-*", body)["hits"]["hits"]
            if not hits:
                return found
            for hit in hits:
                assert hit["_id"] not in found
                found[hit["_id"]] = {"_index": hit["_index"], **hit["_source"]}
            after = hits[-1]["sort"]

    return read


def search(client: Any, index: str, body: dict[str, Any]) -> dict[str, Any]:
    if isinstance(client, opensearchpy.OpenSearch):
        return dict(client.search(index=index, body=body))
    return dict(client.search(index=index, **body))
