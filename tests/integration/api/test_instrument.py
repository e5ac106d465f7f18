"""One line in somebody else's application: records that are true under concurrency, and nothing else changed."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Answer, Server

_CLIENTS = 8
_REQUESTS = 50
# As `uvicorn app:app` serves it, with no lifespan of its own and the ready-made monitor.
_PLAIN = """
import socket, sys
import uvicorn
from fastapi import FastAPI
from perfcli import instrument

app = FastAPI()
app.get("/score")(lambda: 1)
instrument(app)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
# In a sleep of 5 ms the start of a profile is noticed.
_MARGIN_MS = 1.0


def _storm(server: Server, kind: str, name: str, midway: Callable[[], object] | None = None) -> dict[str, Answer]:
    """Let all clients make their requests, sleeping and burning in turn; return the answers by request id."""
    answers: dict[str, Answer] = {}
    barrier = threading.Barrier(_CLIENTS, midway)

    def work(client_number: int) -> None:
        client = server.client()
        for number in range(_REQUESTS):
            if number == _REQUESTS // 2:
                barrier.wait()
            what = "sleep" if (client_number + number) % 2 else "burn"
            request_id = f"{name}-{what}-{client_number}-{number}"
            answers[request_id] = client.request("GET", f"/{kind}/{what}", headers={"X-Request-ID": request_id})
        client.close()

    clients = [threading.Thread(target=work, args=(number,)) for number in range(_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return answers


def _records(server: Server, name: str, count: int) -> dict[str, dict[str, object]]:
    def lines() -> list[dict[str, object]]:
        return [line for line in server.log() if (line["transaction_id"] or "").startswith(f"{name}-")]

    server.wait_until(lambda: len(lines()) >= count)
    assert len(lines()) == count
    return {line["transaction_id"]: line["performance_metrics"] for line in lines()}


def _check_walls(server: Server, answers: dict[str, Answer], records: dict[str, dict[str, object]]) -> None:
    """Compare each record with the watch of its endpoint, inside of the block, and with the one around the block.

    The record cannot be further from the inner watch than the outer one is. Both are within 10 % of each other unless
    the thread loses the interpreter, or the processor, just between them.
    """
    outer = server.get("/stranger/walls").json()
    apart = []
    for request_id, answer in answers.items():
        inner_ms, outer_ms = answer.json()["wall_ms"], outer[request_id]
        assert inner_ms <= records[request_id]["inference_time_ms"] <= outer_ms, request_id
        if outer_ms != pytest.approx(inner_ms, rel=0.1, abs=_MARGIN_MS):
            apart.append((request_id, inner_ms, outer_ms))
    # Not all of it may be left to the watches.
    assert len(apart) <= 0.2 * len(answers), apart


def _check(request_id: str, answer: Answer, metrics: dict[str, object]) -> None:
    stamp = answer.json()
    assert answer.headers["x-request-id"] == request_id
    assert metrics["latency_ms"] >= metrics["inference_time_ms"]
    if "-sleep-" in request_id:
        # A thread may have to collect the garbage of all; its own watch knows. That of a coroutine also counts others.
        own_ms = 0 if "async" in request_id else stamp["cpu_ms"]
        assert metrics["cpu_time_ms"] < 3 + own_ms
    else:
        assert metrics["cpu_time_ms"] == pytest.approx(stamp["cpu_ms"], rel=0.15)
    if metrics["profiled"]:
        functions = {function["function"] for function in metrics["top_functions"]}
        assert ("_spin" in functions) == ("-burn-" in request_id)
        # Half of the calls are of a builtin, which the profile of Python 3.12 and later does not count.
        assert stamp["calls"] / 2 - 2 <= metrics["function_calls"] <= stamp["calls"] + 20
    else:
        assert metrics["function_calls"] is None
        assert metrics["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["def", "async"])
def test_concurrent_requests_each_have_one_record_and_it_is_their_own(instrumented: Server, kind: str) -> None:
    answers = _storm(instrumented, kind, kind)
    assert [answer.status for answer in answers.values()] == [200] * 400
    records = _records(instrumented, kind, 400)
    assert records.keys() == answers.keys()
    assert any(metrics["profiled"] for metrics in records.values())
    _check_walls(instrumented, answers, records)
    for request_id, answer in answers.items():
        _check(request_id, answer, records[request_id])
    assert instrumented.get("/stranger/alone").json() == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["def", "async"])
def test_another_profiler_in_the_middle_costs_no_request_and_no_truth(instrumented: Server, kind: str) -> None:
    answers = _storm(instrumented, kind, f"strange-{kind}", lambda: instrumented.get("/stranger/on"))
    instrumented.get("/stranger/off")
    assert [answer.status for answer in answers.values()] == [200] * 400
    records = _records(instrumented, f"strange-{kind}", 400)
    _check_walls(instrumented, answers, records)
    for request_id, answer in answers.items():
        _check(request_id, answer, records[request_id])
    assert instrumented.get("/stranger/alone").json() == 1


def test_a_failing_endpoint_has_a_record_that_says_so(instrumented: Server) -> None:
    assert instrumented.get("/fail", X_Request_ID="failing").status == 500
    instrumented.wait_until(lambda: bool(instrumented.log_of("failing")))
    [line] = instrumented.log_of("failing")
    assert "RuntimeError" in line["performance_metrics"]["error"]


def test_a_stream_is_the_same_with_and_without(instrumented: Server, start_server: Callable[..., Server]) -> None:
    program = instrumented.process.args[1]
    bare = start_server([program], "/background/finished", ENABLE_PERFORMANCE_MONITORING="false")
    with_us, without = instrumented.get("/stream"), bare.get("/stream")
    assert with_us.body == without.body == b"".join(bytes([n % 256]) * (n * 37 % 5000) for n in range(200))
    added = with_us.headers.keys() - without.headers.keys()
    assert added == {"x-request-id", "server-timing"}
    assert with_us.headers["x-own"] == "kept"


def test_background_tasks_run_as_before(instrumented: Server) -> None:
    assert instrumented.get("/background?name=sweep").json() == {"name": "sweep"}
    instrumented.wait_until(lambda: "sweep" in instrumented.get("/background/finished").json())


def test_a_strangers_answer_has_server_timing(instrumented: Server) -> None:
    header = instrumented.get("/def/sleep").headers["server-timing"]
    assert re.fullmatch(r"parse;dur=[0-9.]+, queue;dur=[0-9.]+, total;dur=[0-9.]+", header)


@pytest.mark.parametrize(
    ("command", "path"),
    [(["-c", _PLAIN], "/score"), ([str(Path(__file__).with_name("instrumented_app.py"))], "/def/sleep")],
    ids=["ready-made monitor", "monitor of its own"],
)
def test_sigterm_loses_no_record(start_server: Callable[..., Server], command: list[str], path: str) -> None:
    server = start_server(command, path, ENABLE_PERFORMANCE_MONITORING="true")
    server.get(path, X_Request_ID="first")
    server.wait_until(lambda: bool(server.log_of("first")))
    # The writer gathers from now on.
    server.get(path, X_Request_ID="last")
    # uvicorn raises the signal again when it has shut down, and nothing that is registered with atexit runs.
    assert server.stop() == -signal.SIGTERM
    assert len(server.log_of("last")) == 1
