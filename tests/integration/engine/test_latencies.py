"""The latencies are the server's own, and an arrival's counts from when it was due."""

import itertools
import math
import statistics

import pytest

from perfcli.loadtest.engine.arrivals import schedule
from perfcli.loadtest.engine.recorder import Histogram
from perfcli.loadtest.plan import Segment

HELD_UP = """
import gc, os, time
from gevent import monkey
from locust import events, task
from perfcli.loadtest.engine.users import InferenceUser

sleep_in_all_greenlets = monkey.get_original("time", "sleep")

def hold_up_the_start(phase, info):
    # The engine collects all garbage when it is told to start.
    if info["generation"] == 2:
        gc.callbacks.remove(hold_up_the_start)
        sleep_in_all_greenlets(0.025)

@events.init.add_listener
def begin(environment, runner, **_):
    if getattr(runner, "worker_index", 0) == 1:
        gc.callbacks.append(hold_up_the_start)

class Client(InferenceUser):
    @task
    def predict(self):
        self.post(self.payload(), f"/fast/{os.getpid()}")
"""
"""One of the workers begins 25 ms later than the others; requests tell by their path whose they are."""

SEED = 282
"""Its arrivals vary by 0.998 and come 100.04 times a second; four seconds of others are off by 5 %."""


def _rank(values, q):
    return sorted(values)[math.ceil(q * len(values)) - 1]


@pytest.mark.parametrize("path", ["/sleep?s=0.04", "/bimodal?fast=0.02&slow=0.2", "/lognormal?median=0.05&sigma=0.5"])
def test_percentiles_of_several_users_are_those_the_server_measured_itself(
    serve, engine, witness, in_a_quiet_moment, path
) -> None:
    """Eight users at once; tests/integration/load has one, and a server that knows the microsecond."""

    def check() -> None:
        server = serve()
        with witness() as seen:
            run = engine(server.plan(path, users=8, requests=400, duration_s=60.0))
        truth_s = [value / 1e9 for value in server.read("times")[path.partition("?")[0]]]
        assert len(truth_s) == run.succeeded == 400
        for q in (0.5, 0.95):
            # A client cannot see less than the server spent; before that, a request waits for seven others to be read.
            truth = _rank(truth_s, q)
            assert truth * 0.999 <= run.response_s(q) <= truth * 1.05 + 0.003 + 3 * _rank(seen.late_s, q), q

    in_a_quiet_moment(check)


def test_a_latency_below_a_millisecond_is_not_rounded(server, engine) -> None:
    run = engine(server.plan("/sleep?s=0.0004", users=1, requests=300))
    truth_s = [value / 1e9 for value in server.read("times")["/sleep"]]
    assert _rank(truth_s, 0.5) * 0.999 <= run.response_s(0.5) < _rank(truth_s, 0.5) + 0.02
    # Milliseconds would be a handful of values.
    assert len(run.response().counts) > 50


def test_failures_at_once_leave_the_median_of_successes_alone(server, engine) -> None:
    run = engine(server.plan("/half-503?s=0.05", users=4, requests=120))
    assert (run.succeeded, run.failures) == (60, {"http_5xx": 60})
    assert run.failed_s(0.5) < 0.05 <= run.response_s(0.5) < 0.1


def test_the_closed_loop_knows_no_other_latency_than_the_service_time(server, engine) -> None:
    run = engine(server.plan(requests=20))
    assert all(endpoint.succeeded.service is None for endpoint in run.endpoints)


def test_a_frozen_server_is_seen_by_every_arrival_that_had_to_wait(serve, engine, in_a_quiet_moment) -> None:
    def check() -> None:
        # Frozen for 0.5 of every 5 s, beginning in the middle of the period: a tenth of the arrivals wait.
        server = serve()
        options = {"open_loop": True, "rate": 100.0, "duration_s": 5.0, "timeout_s": 20.0, "drain_s": 20.0}
        plan = server.plan("/stall?every=5&for=0.5", **options)
        run = engine(plan)
        assert run.succeeded == run.end.scheduled == 500
        response = run.response()
        waited = sum(count for bucket, count in response.counts.items() if bucket >= _bucket(0.05))
        # Whatever else held them up, the server knows. Had they waited for each other's answers, one would have waited.
        exchanges = server.read("exchanges")["/stall"]
        truth = _share_answered_late(exchanges, list(schedule(plan, 0, 1)), limit_ns=50_000_000)
        assert 0.08 <= waited / response.total == pytest.approx(truth, abs=0.01)
        assert run.response_s(0.99) >= 0.85 * 0.5

    in_a_quiet_moment(check)


def test_an_arrival_counts_from_its_intended_start(server, engine) -> None:
    # One answer at a time takes 20 ms, 40 arrivals come within 0.4 s: the last one waits for 0.4 s.
    run = engine(
        server.plan("/semaphore?slots=1&s=0.02", open_loop=True, rate=100.0, duration_s=0.4, max_in_flight=1000)
    )
    assert run.succeeded == 40
    assert run.response().max_ns >= 0.38e9
    assert run.service().max_ns <= run.response().max_ns


@pytest.mark.parametrize(("arrivals", "variation", "tolerance"), [("constant", 0.0, 0.2), ("poisson", 1.0, 0.1)])
def test_arrivals_keep_the_rate_and_vary_as_they_should(
    serve, engine, witness, in_a_quiet_moment, arrivals, variation, tolerance
) -> None:
    def check() -> None:
        server = serve()
        plan = server.plan(open_loop=True, rate=100.0, duration_s=4.0, arrivals=arrivals, seed=SEED)
        with witness() as seen:
            run = engine(plan)
        arrived_ns, due_ns = server.read("arrivals")["/fast"], list(schedule(plan, 0, 1))
        assert run.end.scheduled == len(arrived_ns) == len(due_ns)
        earliest_ms = _earliest_ms(arrived_ns, due_ns)
        assert len(due_ns) / (due_ns[-1] - due_ns[0]) * 1e9 == pytest.approx(100, rel=0.01)
        # Over four seconds, 4 ms are 0.1 % of the rate.
        assert earliest_ms == pytest.approx([min(earliest_ms)] * 8, abs=4)
        # A constant distance would vary as much here as that of somebody else who wants to keep it.
        assert _variation(arrived_ns) == pytest.approx(variation, abs=max(tolerance, 3 * _variation(seen.woken_s)))

    in_a_quiet_moment(check)


def test_arrivals_of_several_processes_interleave(server, engine, scenario) -> None:
    run = engine(server.plan(open_loop=True, rate=60.0, duration_s=4.0, processes=3, scenario=scenario(HELD_UP)))
    arrivals = list(server.read("arrivals").values())
    assert (run.end.scheduled, [len(own) for own in arrivals]) == (240, [80, 80, 80])
    # Each process sends every 50 ms. A machine can only make arrivals late, so the earliest of 80 tells its schedule.
    phases_ms = sorted(min(at_ns / 1e6 - 50 * index for index, at_ns in enumerate(own)) for own in arrivals)
    distances_ms = [after - before for before, after in itertools.pairwise(phases_ms)]
    # Were the one that is held up late for good, they would be 33 and 8 ms.
    assert distances_ms == pytest.approx([1000 / 60] * 2, abs=5)


def test_a_shape_is_followed_second_by_second(serve, engine, in_a_quiet_moment) -> None:
    def check() -> None:
        server = serve()
        plan = server.plan(open_loop=True, shape=(Segment(0, 100, 2.0), Segment(100, 100, 1.0), Segment(300, 300, 1.0)))
        run = engine(plan)
        assert run.end.scheduled == sum(second.scheduled for second in run.seconds) == 100 + 100 + 300
        arrived_ns = server.read("arrivals")["/fast"]
        assert len(arrived_ns) == run.end.scheduled
        earliest_ms = _earliest_ms(arrived_ns, list(schedule(plan, 0, 1)))
        # The first half second has six arrivals, which one stall holds up.
        assert earliest_ms == pytest.approx([min(earliest_ms)] * 8, abs=4)

    in_a_quiet_moment(check)


@pytest.mark.parametrize("processes", [1, 2])
def test_users_follow_a_shape_up_and_down(server, engine, processes) -> None:
    shape = (Segment(2, 2, 2.0), Segment(8, 8, 2.0), Segment(3, 3, 2.0))
    run = engine(server.plan("/sleep?s=0.02", shape=shape, processes=processes))
    # Read in the middle of each step: Locust asks the shape once a second, on a clock of its own.
    assert [run.seconds[index].users for index in (0, 2, 4)] == [2, 8, 3]
    assert run.end.reason == "duration"
    assert run.succeeded == run.end.sent == server.started("/sleep")


def _variation(moments) -> float:
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    return statistics.stdev(gaps) / statistics.fmean(gaps)


def _earliest_ms(arrived_ns, due_ns) -> list[float]:
    """Of each half second of four, the arrival that is the least late: a machine can only make them late."""
    late_ms = [(arrived - due) / 1e6 for arrived, due in zip(arrived_ns, due_ns, strict=True)]
    parts = [
        [late for late, due in zip(late_ms, due_ns, strict=True) if due // 500_000_000 == part] for part in range(8)
    ]
    return [min(part) for part in parts]


def _share_answered_late(exchanges, due_ns, *, limit_ns) -> float:
    """Of all requests, those whose answer began so long after they were due, by the server's own clock."""
    arrived_ns, answered_ns = zip(*sorted(exchanges), strict=True)
    began_ns = min(arrived - due for arrived, due in zip(arrived_ns, due_ns, strict=True))
    late = [answered - began_ns - due > limit_ns for answered, due in zip(answered_ns, due_ns, strict=True)]
    return sum(late) / len(late)


def _bucket(seconds: float) -> int:
    histogram = Histogram()
    histogram.add(round(seconds * 1e9))
    return next(iter(histogram.counts))
