"""The engine's counts are the server's own, however the run ends."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from perfcli.loadtest.plan import Plan


@pytest.mark.parametrize(
    "options",
    [
        {"duration_s": 1.2},
        {"requests": 250},
        {"open_loop": True, "rate": 200.0, "duration_s": 1.2},
        {"open_loop": True, "rate": 200.0, "arrivals": "poisson", "requests": 150, "duration_s": 30.0},
        {"duration_s": 1.2, "processes": 3},
        {"requests": 250, "processes": 3},
        {"open_loop": True, "rate": 200.0, "duration_s": 1.2, "processes": 3},
    ],
    ids=lambda options: " ".join(options),
)
def test_every_request_the_server_saw_is_counted_once(server, engine, options) -> None:
    run = engine(server.plan(**options))
    assert run.exit_code == 0, run.stderr
    assert run.failed == 0
    assert run.succeeded == run.end.sent == sum(second.sent for second in run.seconds) == server.started()
    assert run.succeeded > 0
    assert run.end.scheduled == run.end.sent + run.end.dropped


def test_a_budget_of_requests_is_spent_exactly(server, engine) -> None:
    run = engine(server.plan(requests=101, users=7))
    assert (run.succeeded, run.end.reason, server.started()) == (101, "requests", 101)


def test_a_budget_is_shared_exactly_between_processes(server, engine) -> None:
    run = engine(server.plan(requests=101, users=7, processes=3))
    assert (run.succeeded, run.hello.processes, server.started()) == (101, 3, 101)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_budget_of_arrivals_lasts_until_the_next_would_be_due(server, engine, processes) -> None:
    run = engine(server.plan(open_loop=True, rate=4.0, requests=4, processes=processes))
    assert (run.succeeded, run.end.reason) == (4, "requests")
    assert run.end.elapsed_s >= 1.0


def test_answers_still_due_at_the_end_are_waited_for(server, engine) -> None:
    # The second requests are due 0.9 s before the run ends, and their answers 0.7 s after that.
    run = engine(server.plan("/sleep?s=1.6", users=4, duration_s=2.5))
    assert (run.succeeded, run.failed, server.started("/sleep")) == (8, 0, 8)
    assert run.end.elapsed_s >= 2.5
    assert run.end.drained_s > 0
    assert run.end.elapsed_s + run.end.drained_s >= 3.2


def test_a_run_shorter_than_one_answer_still_counts_it(server, engine) -> None:
    run = engine(server.plan("/sleep?s=2", users=5, duration_s=1.2))
    assert (run.succeeded, server.started("/sleep")) == (5, 5)


def test_what_is_unfinished_after_the_drain_is_incomplete_with_its_age(server, engine) -> None:
    run = engine(server.plan("/silent", users=4, duration_s=1.0, drain_s=0.5, timeout_s=30.0))
    assert (run.failures, run.succeeded) == ({"incomplete": 4}, 0)
    assert run.end.incomplete == run.end.sent == server.started("/silent") == 4
    ages = [endpoint.failed.response.max_ns / 1e9 for endpoint in run.endpoints]
    assert 0.5 <= max(ages) < 5.0


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_ends_the_run_as_its_time_would(server, engine, number, reason, processes) -> None:
    def interrupt(message, child) -> None:
        if type(message).__name__ == "Second" and message.index == 0:
            child.send_signal(number)

    run = engine(server.plan("/sleep?s=0.2", users=4, duration_s=60.0, processes=processes), interrupt)
    assert (run.exit_code, run.end.reason, run.failed) == (0, reason, 0)
    assert run.succeeded == run.end.sent == server.started("/sleep") > 0
    assert run.end.elapsed_s < 30


def test_a_second_signal_does_not_wait_for_answers(server, engine) -> None:
    def interrupt(message, child) -> None:
        # Every second anew: two signals that come before the first is looked at are one.
        if type(message).__name__ == "Second":
            child.send_signal(signal.SIGINT)

    started = time.monotonic()
    run = engine(server.plan("/silent", duration_s=60.0, timeout_s=60.0, drain_s=60.0), interrupt)
    assert time.monotonic() - started < 30
    assert (run.end.reason, run.failures) == ("aborted", {"incomplete": 3})
    assert run.end.sent == server.started("/silent") == 3


def test_arrivals_beyond_the_limit_in_flight_are_dropped_and_counted(server, engine) -> None:
    run = engine(
        server.plan(
            "/silent", open_loop=True, rate=100.0, duration_s=1.0, max_in_flight=10, drain_s=0.1, timeout_s=30.0
        )
    )
    assert (run.end.scheduled, run.end.sent, run.end.dropped) == (100, 10, 90)
    assert run.failures == {"incomplete": 10}
    assert server.started("/silent") == 10


def test_a_lost_worker_is_named_and_the_run_goes_on(server, engine) -> None:
    def kill_one(message, child) -> None:
        if type(message).__name__ == "Hello":
            kill_one.victim = psutil.Process(child.pid).children()[0].pid
        elif type(message).__name__ == "Second" and message.index == 0:
            os.kill(kill_one.victim, signal.SIGKILL)

    run = engine(server.plan(users=4, duration_s=3.0, processes=2), kill_one)
    assert run.exit_code == 0
    assert len(run.lost) == 1
    assert f"pid {kill_one.victim}" in run.lost[0].worker
    assert 1.0 <= run.lost[0].at_s < 3.0
    assert run.seconds[-1].index >= 2
    assert run.end.reason == "duration"


def test_users_start_at_the_spawn_rate(server, engine, scenario) -> None:
    text = """
from locust import constant, task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    wait_time = constant(0.1)

    @task
    def predict(self):
        self.post(self.payload(), f"/fast/{id(self)}")
"""
    run = engine(server.plan(scenario=scenario(text), users=6, spawn_rate=2.0, duration_s=3.5))
    first_s = sorted(arrived[0] / 1e9 for arrived in server.read("arrivals").values())
    # Two a second; all at once, or four a second, would be off by a second and more.
    assert [at_s - first_s[0] for at_s in first_s] == pytest.approx([0, 0, 1, 1, 2, 2], abs=0.9)
    assert max(second.users for second in run.seconds) == 6
    assert run.succeeded == sum(server.read("count")["started"].values())


def test_workers_started_elsewhere_get_the_plan_the_scenario_and_the_payloads_from_the_master(
    server, engine, scenario, payload_file, unused_port
) -> None:
    text = """
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def predict(self):
        self.post(self.payload(), "/remote")
"""
    spread = {"expect_workers": 2, "master_port": unused_port}
    plan = server.plan(scenario=scenario(text), payload_file=payload_file, requests=100, users=4, **spread)
    worker = Plan(worker=True, master_host="127.0.0.1", master_port=unused_port, connect_s=30.0)
    with ThreadPoolExecutor() as pool:
        workers = [pool.submit(engine, worker) for _ in range(2)]
        run = engine(plan)
        ended = [future.result() for future in workers]
    assert (run.exit_code, run.succeeded, server.started("/remote")) == (0, 100, 100), run.stderr
    assert run.hello.processes == 2
    assert [worker.exit_code for worker in ended] == [0, 0]


def test_a_master_without_workers_gives_up_and_says_how_to_start_them(server, engine) -> None:
    run = engine(server.plan(requests=1, expect_workers=1, connect_s=0.3))
    assert run.exit_code == run.crash.exit_code == 3
    assert run.crash.message == "Only 0 of 1 workers came within 0.3 s."
    assert "perfcli worker --master-host" in run.crash.hint
    assert "--master-bind" in run.crash.hint


def test_a_worker_without_a_master_gives_up(engine) -> None:
    run = engine(Plan(worker=True, master_host="127.0.0.1", master_port=9, connect_s=0.3))
    assert run.crash.message == "No master answers at 127.0.0.1:9."
    assert "perfcli load --master --expect-workers N --master-bind 127.0.0.1:9`" in run.crash.hint


def test_a_busy_port_is_the_users_to_change(server, engine) -> None:
    run = engine(server.plan(requests=1, processes=2, master_port=server.port))
    assert (run.exit_code, run.crash.hint) == (2, "Choose another address or port with --master-bind.")
