"""Locustfiles of any kind run, and nothing but the plan has an influence on them."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

LOADTESTS = Path(__file__).parents[3] / "loadtests"
FOREIGN = """
from locust import FastHttpUser, HttpUser, task, constant

class Foreign(BASE):
    wait_time = constant(0.01)

    @task(3)
    def fast(self):
        self.client.post("/fast", json={"mean_radius": 1})

    @task(1)
    def failing(self):
        self.client.get("/status?code=503", name="/failing")
"""


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_users_of_locusts_own_clients_are_recorded(server, engine, scenario, base) -> None:
    run = engine(server.plan(scenario=scenario(FOREIGN.replace("BASE", base)), duration_s=1.5, drain_s=5.0))
    assert run.exit_code == 0, run.stderr
    counts = server.read("count")["started"]
    assert run.succeeded == counts["/fast"] > 0
    assert run.failures == {"http_5xx": counts["/status"]}
    assert {endpoint.name for endpoint in run.endpoints} == {"/fast", "/failing"}
    assert run.end.paths == ("/status",)


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_locusts_own_clients_can_be_used_in_the_open_loop(server, engine, scenario, base) -> None:
    text = FOREIGN.replace("BASE", base).replace("    @task(1)", "    @task(0)")
    run = engine(server.plan(scenario=scenario(text), open_loop=True, rate=50.0, duration_s=2.0))
    assert run.end.scheduled == run.end.sent == run.succeeded == server.started() == 100
    assert run.service().sum_ns <= run.response().sum_ns


def test_refused_connections_of_locusts_own_clients_have_their_class(server, engine, scenario) -> None:
    server.process.terminate()
    server.process.wait()
    for base in ("HttpUser", "FastHttpUser"):
        run = engine(server.plan(scenario=scenario(FOREIGN.replace("BASE", base)), requests=5))
        assert set(run.failures) == {"refused"}, base


def test_listeners_hear_every_request_of_the_fast_client(server, engine, scenario, tmp_path) -> None:
    heard = tmp_path / "heard.json"
    text = f"""
import json
from locust import events, task
from perfcli.loadtest.engine.users import InferenceUser

heard = []

@events.request.add_listener
def listen(request_type, name, response_time, response_length, exception, url, start_time, **_):
    heard.append([request_type, name, response_time, response_length, exception and exception.kind, url])

@events.test_stop.add_listener
def write(environment, **_):
    open({str(heard)!r}, "w").write(json.dumps(heard))

class Client(InferenceUser):
    @task
    def both(self):
        self.post(self.payload(), "/fast")
        self.post(self.payload(), "/status?code=500", name="bad")
"""
    run = engine(server.plan(scenario=scenario(text), requests=10, users=1))
    assert (run.succeeded, run.failures) == (5, {"http_5xx": 5})
    events = json.loads(heard.read_text())
    assert [event[:2] for event in events] == [["POST", "/fast"], ["POST", "bad"]] * 5
    assert [event[4] for event in events] == [None, "http_5xx"] * 5
    assert all(event[2] > 0 and event[3] > 0 for event in events)


def test_an_exception_in_a_task_is_counted_and_told(server, engine, scenario) -> None:
    text = """
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def wrong(self):
        self.post(self.payload())
        raise KeyError("no such patient")
"""
    run = engine(server.plan(scenario=scenario(text), requests=4, users=1))
    assert run.succeeded == 4
    [error] = run.end.scenario_errors
    assert (error.message, error.count) == ("KeyError: 'no such patient'", 4)
    assert "in wrong" in error.traceback


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('broken on purpose')", "ValueError: broken on purpose ({path}:1)."),
        ("import json\n\njson.loads('{')", "(char 1) ({path}:3)."),
        ("x = 1", "has no user class: nobody would send a request."),
        ("from locust import User\n\nclass A(User):\n    weight = 0", "has no user class with a weight: nobody would"),
        ("x = 1\n\ndef (:", "cannot be loaded: SyntaxError: invalid syntax ({path}:3)."),
    ],
)
@pytest.mark.parametrize("processes", [1, 2])
def test_a_scenario_that_cannot_be_loaded_says_why(server, engine, scenario, text, message, processes) -> None:
    path = scenario(text)
    run = engine(server.plan(scenario=path, duration_s=5.0, processes=processes))
    assert (run.exit_code, run.crash.exit_code) == (2, 2)
    assert message.format(path=path) in run.crash.message
    assert "scenario_under_test.py" in run.crash.message


def test_a_scenario_with_a_shape_of_its_own_ends_with_it(server, engine, scenario) -> None:
    text = """
from locust import LoadTestShape, task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def predict(self):
        self.post(self.payload(), "/sleep?s=0.01")

class Steps(LoadTestShape):
    def tick(self):
        run_time = self.get_run_time()
        return (2, 10) if run_time < 1.9 else (5, 10) if run_time < 3.9 else None
"""
    run = engine(server.plan(scenario=scenario(text), users=1))
    assert run.end.reason == "scenario"
    # Read in the middle of each step: Locust asks the shape once a second, on a clock of its own.
    assert [run.seconds[index].users for index in (0, 2)] == [2, 5]
    assert run.succeeded == server.started("/sleep") > 0


def test_options_and_files_of_the_users_own_locust_change_nothing(server, engine, tmp_path) -> None:
    (tmp_path / ".locust.conf").write_text("users = 77\nrun-time = 1s\nhost = http://127.0.0.1:9\n")
    run = engine(
        server.plan(requests=20, users=2),
        HOME=str(tmp_path),
        LOCUST_USERS="50",
        LOCUST_HOST="http://127.0.0.1:9",
        LOCUST_SKIP_MONKEY_PATCH="1",
        LOCUST_RUN_TIME="1",
    )
    assert (run.succeeded, run.failed, run.end.reason) == (20, 0, "requests")
    assert max(second.users for second in run.seconds) <= 2


@pytest.mark.parametrize("name", ["predict", "predict_proba", "mixed", "soak"])
def test_the_bundled_scenarios_find_no_fault_with_a_good_server(server, engine, name) -> None:
    run = engine(server.plan("/predict", scenario=str(LOADTESTS / f"{name}.py"), requests=10, users=10))
    assert run.exit_code == 0, run.stderr
    bad_input = [endpoint.failed.count for endpoint in run.endpoints if "bad input" in endpoint.name]
    assert run.failed == sum(bad_input)
    assert run.succeeded == 10 - sum(bad_input)


@pytest.mark.parametrize("name", ["predict", "predict_proba", "mixed", "soak"])
def test_the_bundled_scenarios_run_with_plain_locust(server, name, tmp_path) -> None:
    report = tmp_path / "report"
    options = ["--headless", "--users", "2", "--run-time", "2", "--stop-timeout", "5", "--exit-code-on-error", "0"]
    options += ["--host", server.url, "--json-file", str(report)]
    subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOADTESTS / f"{name}.py"), *options],
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")},
        capture_output=True,
        timeout=60,
        cwd=tmp_path,
    )
    rows = json.loads(report.with_suffix(".json").read_text())
    counted, started = sum(row["num_requests"] for row in rows), sum(server.read("count")["started"].values())
    # At the end Locust kills who waits between two tasks; one of its two users may just have begun the next.
    assert 0 < counted <= started <= counted + 2


def test_the_spike_begins_with_a_quiet_service(server, engine) -> None:
    run = engine(server.plan("/predict", scenario=str(LOADTESTS / "spike.py"), duration_s=1.5))
    assert (run.seconds[0].users, run.failed, run.end.reason) == (10, 0, "duration")
    assert run.succeeded == server.started("/predict") > 0


def test_a_scenario_that_ends_the_process_while_it_is_loaded_says_so(server, engine, scenario) -> None:
    run = engine(server.plan(scenario=scenario("raise SystemExit('not today')"), requests=1))
    assert (run.exit_code, run.crash.exit_code) == (2, 2)
    assert "SystemExit: not today" in run.crash.message


def test_batches_are_joined_and_checked_for_their_length(server, engine, payload_file) -> None:
    run = engine(server.plan(payload_file=payload_file, batch_size=5, requests=6))
    assert (run.succeeded, run.failed) == (6, 0)
    run = engine(server.plan("/short", payload_file=payload_file, batch_size=5, requests=2))
    assert run.failures == {"check_failed": 2}
    assert run.example == "0 predictions for 5 rows"


def test_labels_outside_the_classes_are_failures(server, engine) -> None:
    run = engine(server.plan(requests=3, classes=("benign", "malignant")))
    assert run.failures == {"check_failed": 3}
    assert run.example == "label 1 is none of ['benign', 'malignant']"


WEIGHTED = """
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Often(InferenceUser):
    weight = 3

    @task
    def predict(self):
        self.post(self.payload(), "/fast", name="often")

class Seldom(InferenceUser):
    weight = 1

    @task
    def predict(self):
        self.post(self.payload(), "/fast", name="seldom")
"""


@pytest.mark.parametrize("max_in_flight", [1000, 1])
def test_arrivals_are_shared_between_the_classes_of_users_by_weight(server, engine, scenario, max_in_flight) -> None:
    options = {"open_loop": True, "rate": 100.0, "requests": 400, "max_in_flight": max_in_flight}
    run = engine(server.plan(scenario=scenario(WEIGHTED), **options))
    sent = Counter()
    for endpoint in run.endpoints:
        sent[endpoint.name] += endpoint.succeeded.count
    assert sent.total() == run.end.sent == 400 - run.end.dropped
    # The draws follow from the seed; only what a single user who is busy has to drop does not.
    if max_in_flight > 1:
        assert sent["often"] == pytest.approx(300, abs=4 * (400 * 0.75 * 0.25) ** 0.5)
    assert sent["seldom"] > 0
    assert sent["often"] > sent["seldom"]
    assert run.end.paths == ("/fast",)


def test_a_worker_is_ready_when_nothing_is_left_that_would_hold_its_first_requests_up(
    server, engine, scenario, tmp_path
) -> None:
    text = f"""
import gc, os, pathlib
from locust import argument_parser, events, task
from perfcli.loadtest.engine.users import InferenceUser

@events.init.add_listener
def watch(runner, **_):
    send = runner.send_message

    def watched(name, *arguments, **others):
        if name == "perfcli_ready":
            found = gc.get_freeze_count() > 0, argument_parser.default_args_dict.cache_info().currsize
            pathlib.Path({str(tmp_path)!r}, f"{{os.getpid()}}.ready").write_text(repr(found))
        send(name, *arguments, **others)

    runner.send_message = watched

class Client(InferenceUser):
    @task
    def predict(self):
        self.post(self.payload())
"""
    run = engine(server.plan(scenario=scenario(text), requests=4, users=2, processes=2))
    assert run.succeeded == 4, run.stderr
    assert [path.read_text() for path in tmp_path.glob("*.ready")] == ["(True, 1)"] * 2


@pytest.mark.parametrize(("requests", "further", "silent"), [(2, 40, 0), (0, 0, 40)])
def test_arrivals_are_counted_whatever_their_tasks_send(server, engine, scenario, requests, further, silent) -> None:
    text = f"""
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def some(self):
        for _ in range({requests}):
            self.post(self.payload())
"""
    run = engine(server.plan(scenario=scenario(text), open_loop=True, rate=40.0, duration_s=1.0))
    end = run.end
    assert (end.scheduled, end.sent, end.dropped) == (40, server.started(), 0)
    assert (end.sent, end.further, end.silent) == (40 * requests, further, silent)
    assert sum(second.due for second in run.seconds) == end.sent


def test_a_get_request_carries_its_row_in_the_query(server, engine, tmp_path) -> None:
    payload_file = tmp_path / "rows.jsonl"
    payload_file.write_text('{"code": 200}\n{"code": 404}\n')
    run = engine(server.plan("/status?code=503", method="GET", payload_file=str(payload_file), requests=4, users=1))
    assert (run.succeeded, run.failures) == (2, {"http_4xx": 2})
    assert server.started("/status") == 4


def test_a_batch_that_a_get_request_cannot_carry_is_told(server, engine, scenario) -> None:
    text = """
from locust import constant, task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    wait_time = constant(0.1)

    @task
    def batch(self):
        self.post(self.batch_of(2))
"""
    run = engine(server.plan(scenario=scenario(text), method="GET", requests=2, users=1))
    assert (run.succeeded, run.failed, server.started()) == (0, 0, 0)
    [error] = run.end.scenario_errors
    assert error.message.startswith("PayloadError: A GET request carries one flat row in its query.")
