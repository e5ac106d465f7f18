"""Every way in which nothing, or not everything, can be measured has its own words and exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Perfcli = Callable[..., Any]
WriteScenario = Callable[[str], str]

DYING = """
import os
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    sent = 0

    @task
    def predict(self):
        Client.sent += 1
        if Client.sent > 8:
            print("out of luck", file=__import__("sys").stderr, flush=True)
            os._exit(7)
        self.post(self.payload())
"""

IDLE = """
import gevent
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def wait(self):
        gevent.sleep(0.1)
"""


def test_an_engine_that_dies_is_explained_and_its_seconds_are_kept(
    server: Any, perfcli: Perfcli, scenario: WriteScenario, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    outcome = perfcli(
        *("load", "--host", server.url, "--path", "/sleep?s=0.3", "-u", "1", "-t", "60s"),
        *("--scenario", scenario(DYING), "-o", str(file)),
    )

    assert outcome.code == 3
    assert "ended with 7" in outcome.stderr
    assert "out of luck" in outcome.stderr
    record = json.loads(file.read_text())
    assert record["partial"] is True
    assert 1 <= sum(second["requests"] for second in record["seconds"]) <= server.served() == 8
    assert record["warnings"][0]["code"] == "engine_crashed"


def test_a_scenario_that_sends_nothing_is_no_measurement(
    server: Any, perfcli: Perfcli, scenario: WriteScenario
) -> None:
    outcome = perfcli("load", "--host", server.url, "--scenario", scenario(IDLE), "-t", "1s")

    assert outcome.code == 3
    assert "Error: No request ended." in outcome.stderr
    assert server.started() == 0


def test_a_scenario_that_does_not_load_is_the_users_to_correct(
    server: Any, perfcli: Perfcli, scenario: WriteScenario
) -> None:
    outcome = perfcli("load", "--host", server.url, "--scenario", scenario("import no_such_module_anywhere"))

    assert outcome.code == 2
    assert "no_such_module_anywhere" in outcome.stderr
    assert "bug in perfcli" not in outcome.stderr


def test_a_dead_port_is_said_at_once(perfcli: Perfcli, unused_port: int) -> None:
    outcome = perfcli("load", "--host", f"http://127.0.0.1:{unused_port}", "-t", "60s")

    assert outcome.code == 3
    assert f"Cannot reach http://127.0.0.1:{unused_port}: connection refused." in outcome.stderr
    assert outcome.stdout == ""


def test_a_service_that_only_fails_is_recorded_and_is_no_success(server: Any, perfcli: Perfcli) -> None:
    outcome = perfcli(
        "load", "--host", server.url, "--path", "/status?code=503", "-u", "2", "--requests", "50", "--json"
    )

    assert outcome.code == 3
    assert "Every request failed" in outcome.stderr
    assert outcome.record["errors"] == [
        {"kind": "http_5xx", "count": 50, "example": outcome.record["errors"][0]["example"]}
    ]
    assert outcome.record["total"]["latency_ms"]["p50"] is None
    assert outcome.record["total"]["failure_latency_ms"]["p50"] > 0
    assert outcome.record["total"]["error_ratio"] == 1.0


def test_another_machine_is_not_loaded_without_somebodys_word(perfcli: Perfcli) -> None:
    outcome = perfcli("load", "--host", "http://192.0.2.1:8000", "--rate", "100", "-t", "1m")

    assert outcome.code == 2
    assert "http://192.0.2.1:8000/predict is not this machine." in outcome.stderr
    assert "about 6000 requests in 60.0 s" in outcome.stderr
    assert "Add --yes" in outcome.stderr


def test_a_worker_without_a_master_says_so(perfcli: Perfcli, unused_port: int) -> None:
    outcome = perfcli("worker", "--master-port", str(unused_port), "--connect", "1s")

    assert outcome.code == 3
    assert f"No master answers at 127.0.0.1:{unused_port}." in outcome.stderr
