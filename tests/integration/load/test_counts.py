"""What the command reports is what the server served, whatever the load and however the run ends."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

Perfcli = Callable[..., Any]


@pytest.mark.parametrize(
    "options",
    [
        "--users 4 -t 2s",
        "--users 4 -t 2s --processes 3",
        "--users 3 --requests 100",
        "--rate 150 -t 2s",
        "--rate 150 -t 2s --arrivals poisson --processes 3",
        "--shape 'ramp 1-5/1s, hold 1s'",
    ],
)
def test_every_request_of_the_server_is_in_the_record_once(server: Any, perfcli: Perfcli, options: str) -> None:
    outcome = perfcli("load", "--host", server.url, "--path", "/fast", "--json", *shlex.split(options))

    assert outcome.code == 0, outcome.stderr
    assert outcome.requests == server.started() == server.served() > 0
    record = outcome.record
    measured = [second for second in record["seconds"] if second["measured"]]
    assert record["total"]["requests"] == sum(second["requests"] for second in measured)
    elapsed_s = record["window"]["elapsed_s"]
    assert record["total"]["throughput_rps"] == pytest.approx(record["total"]["requests"] / elapsed_s)
    assert elapsed_s == pytest.approx(sum(second["elapsed_s"] for second in measured))
    assert record["partial"] is False


def test_the_count_of_an_api_with_a_token_is_read_with_it(perfcli: Perfcli) -> None:
    outcome = perfcli("load", "--users", "2", "--requests", "20", "--json", API_TOKEN="top-secret")

    assert outcome.code == 0, outcome.stderr
    assert outcome.record["server"]["counted"]["server_requests"] == 20
    assert "top-secret" not in outcome.stdout + outcome.stderr


@pytest.mark.slow
def test_answers_of_three_seconds_are_all_there_after_eight(server: Any, perfcli: Perfcli) -> None:
    outcome = perfcli("load", "--host", server.url, "--path", "/sleep?s=3", "-u", "10", "-t", "8s", "--json")

    assert (outcome.code, outcome.record["total"]["requests"], server.served()) == (0, 30, 30)
    assert outcome.record["total"]["failures"] == 0
    # Three waves of ten: a median that is late is that of two of them, held up one after the other.
    assert 2990 <= outcome.record["total"]["latency_ms"]["p50"] < 4000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_complete_record(
    server: Any, start: Callable[..., Any], tmp_path: Path, number: int, code: int
) -> None:
    file = tmp_path / "run.json"
    command = start(
        *("load", "--host", server.url, "--path", "/sleep?s=0.5", "-u", "6", "-t", "60s", "--json", "-o", str(file))
    )
    server.wait_for_requests(13)
    command.interrupt(number)
    outcome = command.finish()

    assert outcome.code == code, outcome.stderr
    assert outcome.record["partial"] is True
    assert outcome.record["total"]["failures"] == 0
    assert outcome.requests == server.started() == server.served() >= 12
    assert json.loads(file.read_text()) == outcome.record


def test_a_second_interrupt_does_not_wait_and_keeps_the_record(server: Any, start: Callable[..., Any]) -> None:
    command = start(
        *("load", "--host", server.url, "--path", "/silent", "-u", "3", "-t", "60s", "--timeout", "60s", "--json")
    )
    server.wait_for_requests(3)
    command.interrupt()
    # The engine says nothing between the two; it is asked again until it ends. A third time, while the record is being
    # written, would be to ask for no record.
    patience_s = 1.0
    while command.process.poll() is None and not _ends_within(command, patience_s):
        command.interrupt()
        patience_s = 20.0
    outcome = command.finish()

    assert outcome.code == 130, outcome.stderr
    assert outcome.record["partial"] is True
    assert outcome.requests in (0, 3)


def test_the_server_is_asked_for_its_own_count(perfcli: Perfcli) -> None:
    outcome = perfcli("load", "-u", "2", "--requests", "60", "--json")

    assert outcome.code == 0, outcome.stderr
    assert outcome.record["server"]["counted"] == {
        "source": "perfcli_http_requests_total",
        "server_requests": 60,
        "client_requests": 60,
    }
    assert outcome.record["total"]["failures"] == 0
    assert outcome.record["server"]["processes"] == 1


def test_an_api_of_ours_at_a_host_is_asked_for_its_own_count_too(
    start: Callable[..., Any], perfcli: Perfcli, unused_port: int
) -> None:
    port = unused_port
    api = start("serve", "--port", str(port))
    deadline = time.monotonic() + 60
    while not _answers(f"http://127.0.0.1:{port}/health"):
        assert api.process.poll() is None
        assert time.monotonic() < deadline, "the API does not answer"
        time.sleep(0.05)

    outcome = perfcli("load", "--host", f"http://127.0.0.1:{port}", "-u", "2", "--requests", "60", "--json")
    api.interrupt()

    assert outcome.code == 0, outcome.stderr
    counted = outcome.record["server"]["counted"]
    assert (counted["source"], counted["server_requests"]) == ("perfcli_http_requests_total", 60)
    assert counted["client_requests"] == 60


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=60):
            return True
    except OSError:
        return False


def _ends_within(command: Any, seconds: float) -> bool:
    try:
        command.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
