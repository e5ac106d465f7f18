"""Several workers of one server: any of them answers for all."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import ExitStack, suppress
from http.client import HTTPException
from typing import TYPE_CHECKING

import psutil
from prometheus_client.parser import text_string_to_metric_families

from perfcli.bundled import bundled_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Server

MALIGNANT = json.loads(bundled_path("sample_payloads/malignant.json").read_text())
_REQUESTS = 20
_IN_FLIGHT = "perfcli_http_requests_in_flight"


def _sum(server: Server, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(server.get("/metrics").body.decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_logs_and_metrics_are_those_of_all_workers(start_api: Callable[..., Server]) -> None:
    server = start_api(API_WORKERS="2")
    for number in range(_REQUESTS):
        server.request("POST", "/predict", MALIGNANT, {"X-Request-ID": f"worker-{number}"})
    server.wait_until(lambda: server.get("/logs").json()["total"] == _REQUESTS)
    server.wait_until(lambda: _sum(server, "perfcli_predictions_total") == _REQUESTS)
    # The other worker may be asked before this one has counted what it has just answered.
    answered = {"name": "perfcli_http_requests_total", "route": "/predict", "status": "200"}
    server.wait_until(lambda: _sum(server, **answered) == _REQUESTS)
    # Whichever worker answers, and each does at some time, the answer is the same.
    for _ in range(10):
        logs = server.get("/logs").json()
        assert {line["transaction_id"] for line in logs["logs"]} == {f"worker-{n}" for n in range(_REQUESTS)}
        assert server.get("/performance").json()["predictions"] == _REQUESTS
        assert _sum(server, **answered) == _REQUESTS
    # Each sink has its turn: what /logs shows need not be on stdout yet.
    server.wait_until(lambda: len(server.log()) >= _REQUESTS)
    assert len(server.log()) == _REQUESTS


def test_requests_of_a_worker_that_was_killed_are_no_longer_in_flight(start_api: Callable[..., Server]) -> None:
    server = start_api(API_WORKERS="2")
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 873\r\n\r\n{"
    with ExitStack() as clients:
        for _ in range(6):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            client.sendall(head)
        server.wait_until(lambda: _sum(server, _IN_FLIGHT) == 7)
        workers = [
            child for child in psutil.Process(server.process.pid).children() if "spawn_main" in child.cmdline()[-2]
        ]
        for worker in workers:
            worker.kill()

    def counts_itself_only() -> bool:
        # Until its end is noticed, a connection may be one of the old worker.
        with suppress(OSError, HTTPException):
            return _sum(server, _IN_FLIGHT) == 1
        return False

    server.wait_until(counts_itself_only)


def test_the_server_ends_with_the_process_that_started_it(start_api: Callable[..., Server]) -> None:
    server = start_api()
    # What the kernel does for a parent that dies: the other end of the pipe closes.
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(60) == -signal.SIGTERM


def test_a_server_of_workers_stops_with_all_of_them(start_api: Callable[..., Server]) -> None:
    server = start_api(API_WORKERS="2")
    assert len(_living_members(server.process.pid)) >= 3
    # What one process of a server ends with that nobody gave another handler.
    assert server.stop() == -signal.SIGTERM
    server.process.communicate()
    wait_s = time.monotonic() + 60
    # The server was the leader of a session of its own.
    while _living_members(server.process.pid):
        assert time.monotonic() < wait_s, "a worker outlived its server"
        time.sleep(0.01)


def test_workers_do_not_outlive_a_server_that_is_killed(start_api: Callable[..., Server]) -> None:
    server = start_api(API_WORKERS="2")
    server.process.kill()
    server.process.communicate()
    wait_s = time.monotonic() + 60
    while _living_members(server.process.pid):
        assert time.monotonic() < wait_s, "a worker outlived its server"
        time.sleep(0.01)


def _living_members(session: int) -> list[int]:
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members
