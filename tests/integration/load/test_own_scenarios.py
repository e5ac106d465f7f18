"""What a scenario of the user's brings by itself is taken as it is there, and told as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Perfcli = Callable[..., Any]
WriteScenario = Callable[[str], str]

OURS = """
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    host = "HOST"

    @task
    def predict(self):
        self.post(self.payload())
"""
LOCUSTS = """
from locust import FastHttpUser, constant, task

class Homeless(FastHttpUser):
    fixed_count = 1
    wait_time = constant(0.05)

    @task
    def predict(self):
        self.client.post("/fast", json={"mean_radius": 1}, name="homeless")

class Resident(FastHttpUser):
    host = "HOST"
    fixed_count = 1
    wait_time = constant(0.05)

    @task
    def predict(self):
        self.client.post("/predict", json={"mean_radius": 1}, name="resident")
"""


def test_the_host_of_the_scenario_is_the_target(server: Any, perfcli: Perfcli, scenario: WriteScenario) -> None:
    file = scenario(OURS.replace("HOST", f"{server.url}/fast"))

    outcome = perfcli("load", "--scenario", file, "-u", "2", "--requests", "20", "--json")

    assert outcome.code == 0, outcome.stderr
    assert server.read("count")["started"] == {"/fast": 20}
    assert outcome.record["load"]["url"] == f"{server.url}/fast"


def test_a_host_on_the_command_line_wins(
    serve: Callable[[], Any], perfcli: Perfcli, scenario: WriteScenario, unused_port: int
) -> None:
    server = serve()
    file = scenario(OURS.replace("HOST", f"http://127.0.0.1:{unused_port}"))

    outcome = perfcli("load", "--host", server.url, "--scenario", file, "-u", "2", "--requests", "20", "--json")

    assert (outcome.code, server.started()) == (0, 20), outcome.stderr


def test_locusts_own_clients_keep_the_path_of_their_host(
    server: Any, perfcli: Perfcli, scenario: WriteScenario
) -> None:
    file = scenario(LOCUSTS.replace("HOST", f"{server.url}/fast"))

    outcome = perfcli("load", "--scenario", file, "-u", "2", "-t", "1s", "--warm-up", "none", "--json")

    assert outcome.code == 0, outcome.stderr
    started = server.read("count")["started"]
    endpoints = outcome.record["endpoints"]
    assert started.keys() == {"/fast", "/fast/predict"}
    assert endpoints["homeless"]["requests"] <= started["/fast"]
    assert endpoints["resident"]["requests"] <= started["/fast/predict"]
    assert outcome.record["total"]["failures"] == 0


@pytest.mark.parametrize("command", [("load",), ("capacity", "--slo", "p50 < 1s")])
def test_a_scenario_of_another_machine_loads_it_only_with_somebodys_word(
    perfcli: Perfcli, scenario: WriteScenario, command: tuple[str, ...]
) -> None:
    outcome = perfcli(*command, "--scenario", scenario(OURS.replace("HOST", "http://192.0.2.1:8000")))

    assert outcome.code == 2
    assert "http://192.0.2.1:8000 is not this machine." in outcome.stderr
    assert "Add --yes" in outcome.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            LOCUSTS.replace("HOST", "http://127.0.0.1:1") + '\nHomeless.host = "http://127.0.0.1:2"\n',
            "have several hosts: http://127.0.0.1:2, http://127.0.0.1:1.",
        ),
        (OURS.replace("HOST", "localhost:8000"), "'localhost:8000' is no URL of an API."),
        ("raise ValueError('broken on purpose')", "ValueError: broken on purpose"),
        ("import os\n\nos._exit(7)", "The load engine died of"),
    ],
)
def test_a_scenario_that_names_no_target_of_its_own_is_refused_before_the_run(
    perfcli: Perfcli, scenario: WriteScenario, text: str, said: str
) -> None:
    outcome = perfcli("load", "--scenario", scenario(text))

    assert outcome.code == (3 if "died" in said else 2)
    assert said in outcome.stderr
    assert outcome.stdout == ""


def test_the_embedded_api_is_loaded_when_nobody_names_another(perfcli: Perfcli, tmp_path: Path) -> None:
    file = tmp_path / "homeless.py"
    file.write_text(OURS.replace('    host = "HOST"\n', ""))

    outcome = perfcli("load", "--scenario", str(file), "-u", "2", "--requests", "20", "--json")

    assert outcome.code == 0, outcome.stderr
    assert outcome.record["server"]["counted"]["server_requests"] == 20


SHAPED = (
    OURS
    + """
from locust import LoadTestShape

class Steps(LoadTestShape):
    def tick(self):
        run_time = self.get_run_time()
        return (2, 10) if run_time < 0.9 else (5, 10) if run_time < 1.9 else None
"""
)


def test_a_shape_of_the_scenario_is_obeyed_and_told(
    server: Any, perfcli: Perfcli, scenario: WriteScenario, tmp_path: Path
) -> None:
    load = ("load", "--host", server.url, "--scenario", scenario(SHAPED))
    whole, cut = str(tmp_path / "whole.json"), str(tmp_path / "cut.json")

    outcome = perfcli(*load, "-o", whole)

    assert outcome.code == 0, outcome.stderr
    assert "shape of scenario_of_a_user.py" in outcome.stdout
    assert "10 users" not in outcome.stdout + outcome.stderr
    record = json.loads(Path(whole).read_text())
    asked = ("users", "rate_rps", "arrivals", "shape", "duration_s", "requests")
    assert [record["load"][name] for name in asked] == [None, None, None, "of scenario_of_a_user.py", None, None]
    assert record["window"]["warm_up_s"] == 0
    assert sum(second["requests"] for second in record["seconds"]) == server.started() > 0

    assert perfcli(*load, "-t", "1s", "-o", cut).code == 0
    compared = perfcli("compare", whole, cut)
    assert compared.code == 2
    assert "The two runs are not comparable: duration s None and 1.0." in compared.stderr
    assert "not comparable" not in perfcli("compare", whole, whole).stderr
