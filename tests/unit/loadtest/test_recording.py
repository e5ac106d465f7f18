from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from perfcli.loadtest.calibration import Calibration
from perfcli.loadtest.messages import End, Endpoint, Latencies, ScenarioFacts, Second, WorkerLost
from perfcli.loadtest.planning import LoadPlan
from perfcli.loadtest.recording import Recording
from perfcli.loadtest.watch import Sample, ServerSample
from perfcli.records.environment import Environment
from perfcli.records.load import Arrivals, ErrorCount, LoadResult
from perfcli.verdicts.evaluate import evaluate
from perfcli.verdicts.load_evidence import doubts
from perfcli.verdicts.slo import parse_slo

Record = Callable[..., LoadResult]
MakeSecond = Callable[..., Second]
MakeEndpoint = Callable[..., Endpoint]
FAST = [0.004] * 250


def test_throughput_is_requests_that_ended_over_the_elapsed_time(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    seconds = [second(index, endpoint(FAST, {"http_5xx": [0.001] * 50})) for index in range(4)]

    result = record([*seconds, second(4, endpoint([0.004] * 6), elapsed_s=0.5)])

    assert (result.total.requests, result.total.failures) == (1206, 200)
    assert result.total.throughput_rps == pytest.approx(1206 / 4.5)
    assert result.total.success_rps == pytest.approx(1006 / 4.5)
    assert result.total.error_ratio == pytest.approx(200 / 1206)
    assert result.errors == (ErrorCount("http_5xx", 200, "http_5xx as an example"),)


def test_each_second_keeps_its_latencies_by_class_and_its_failures_by_kind(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    predict = endpoint([0.0041, 0.0042, 0.0090], {"http_5xx": [0.001] * 2, "reset": [0.2]})
    rows = endpoint([0.0043], {"http_5xx": [0.001]}, name="/rows")

    result = record([second(0, predict, rows), second(1)])

    full, empty = result.seconds
    assert full.latency_counts is not None
    assert [(c.start_ns / 1e9, c.end_ns / 1e9, c.samples) for c in full.latency_counts.classes()] == [
        (0.003670016, 0.004194304, 1),
        (0.004194304, 0.005242880, 2),
        (0.008388608, 0.010485760, 1),
    ]
    assert full.failure_kinds == {"http_5xx": 3, "reset": 1}
    assert (empty.latency_counts, empty.failure_kinds) == (None, {})


def test_requests_in_flight_are_averaged_over_each_second(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    result = record([second(0, endpoint(FAST), in_flight_ns=1_400_000_000, elapsed_s=2.0), second(1)])
    assert [each.mean_in_flight for each in result.seconds] == [0.7, 0.0]


def test_warm_up_is_left_out_of_the_statistics_and_kept_in_the_seconds(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    cold = [second(index, endpoint([0.04] * 25)) for index in range(5)]
    warm = [second(index, endpoint(FAST)) for index in range(5, 30)]

    result = record([*cold, *warm])

    assert (result.window.warm_up_s, result.window.elapsed_s, result.window.stable) == (5.0, 25.0, True)
    assert result.total.requests == 25 * 250
    assert result.total.latency.p50_s == pytest.approx(0.004, rel=1e-3)
    assert [each.measured for each in result.seconds] == [False] * 5 + [True] * 25
    assert sum(each.requests for each in result.seconds) == 5 * 25 + 25 * 250


def test_a_warm_up_that_was_asked_for_is_kept(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    seconds = [second(index, endpoint(FAST), elapsed_s=1.002) for index in range(10)]

    result = record(seconds, warm_up="3s")

    assert result.window.warm_up_s == pytest.approx(3.006)
    assert result.total.requests == 7 * 250
    assert result.window.stable is True


def test_a_warm_up_longer_than_the_run_leaves_an_empty_window(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    result = record([second(0, endpoint(FAST))], warm_up="5s")

    assert (result.total.requests, result.window.elapsed_s, result.total.throughput_rps) == (0, 0.0, None)
    assert result.seconds[0].measured is False


def test_the_ramp_of_the_users_is_warm_up(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    result = record([second(index, endpoint(FAST)) for index in range(20)], users=8, spawn_rate=2.0)

    assert result.window.warm_up_s == 4.0


def test_only_a_closed_loop_has_users(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    seconds = [second(0, endpoint(FAST, service_s=FAST), users=64)]

    assert record(seconds, rate_rps=250.0).seconds[0].users is None
    assert record(seconds, users=64).seconds[0].users == 64


@pytest.mark.parametrize("options", [{"shape": "ramp 0-20/20s"}, {"facts": ScenarioFacts(has_shape=True)}])
def test_a_shape_is_measured_whole_and_its_steadiness_is_not_judged(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, options: dict[str, Any]
) -> None:
    result = record([second(index, endpoint([0.004] * 10 * index)) for index in range(20)], **options)

    assert (result.window.warm_up_s, result.window.stable, result.total.requests) == (0.0, None, 1900)


def test_answers_after_the_load_do_not_make_it_unsteady(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, ended: Callable[..., End]
) -> None:
    loaded = [second(index, endpoint(FAST)) for index in range(12)]
    draining = [second(12 + index, endpoint([3.0])) for index in range(3)]

    result = record([*loaded, *draining], end=ended(12.0, drained_s=3.0))

    assert (result.window.stable, result.window.elapsed_s, result.total.requests) == (True, 15.0, 3003)
    assert "long_drain" in [warning.code for warning in result.warnings]


def test_endpoints_are_named_as_the_scenario_does_and_by_method_only_when_two_share_a_name(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    result = record(
        [
            second(
                0,
                endpoint([0.1], name="/rows", method="GET"),
                endpoint([0.2, 0.2], name="/rows"),
                endpoint([0.3], name="/health", method="GET"),
            )
        ]
    )

    assert {name: each.requests for name, each in result.endpoints.items()} == {
        "/health": 1,
        "GET /rows": 1,
        "POST /rows": 2,
    }


def test_an_open_loop_accounts_for_every_arrival_of_the_whole_run(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, latencies: Callable[..., Latencies]
) -> None:
    lag = latencies([0.0001] * 100)
    seconds = [
        second(index, endpoint([0.02] * 100, service_s=[0.01] * 100), scheduled=105, dropped=5, late=2, lag=lag)
        for index in range(10)
    ]

    result = record(seconds, rate_rps=105.0, warm_up="5s")

    assert result.loop == "open"
    assert isinstance(result.arrivals, Arrivals)
    assert (result.arrivals.scheduled, result.arrivals.sent, result.arrivals.dropped) == (1050, 1000, 50)
    assert result.arrivals.late == 20
    assert result.total.latency.p50_s == pytest.approx(0.02, rel=1e-3)
    assert result.total.service.p50_s == pytest.approx(0.01, rel=1e-3)
    assert "dropped" in [warning.code for warning in result.warnings]


def test_arrivals_that_the_warm_up_dropped_spoil_no_verdict_of_the_window(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    cold = [second(index, endpoint([0.001] * 50), scheduled=100, dropped=50) for index in range(2)]
    warm = [second(index, endpoint([0.001] * 100), scheduled=100) for index in range(2, 20)]
    slos = [parse_slo("p99 < 50ms"), parse_slo("error_rate < 1%")]

    result = record([*cold, *warm], rate_rps=100.0, warm_up="5s")
    all_measured = record([*cold, *warm], rate_rps=100.0, warm_up="none")

    assert result.arrivals is not None
    assert (result.arrivals.dropped, result.arrivals.dropped_of_window) == (100, (0, 1500))
    assert [verdict.outcome for verdict in evaluate(result, slos)] == ["pass", "pass"]
    assert (result.diagnosis, list(doubts(result, result))) == (None, [])
    assert [verdict.reason for verdict in evaluate(all_measured, slos)] == [
        "100 of 2000 arrivals were dropped: what they took is unknown",
        "100 of 2000 arrivals were dropped: with these it is 5.00 %",
    ]
    older = replace(result, arrivals=replace(result.arrivals, measured_scheduled=None, measured_dropped=None))
    assert [verdict.outcome for verdict in evaluate(older, slos)] == ["inconclusive", "inconclusive"]


def test_arrivals_are_not_the_requests_of_their_tasks(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    seconds = [
        second(index, endpoint([0.02] * 35), scheduled=20, sent=35, further=17, silent=1, dropped=1) for index in (0, 1)
    ]

    result = record(seconds, rate_rps=20.0, warm_up="none")

    assert result.arrivals is not None
    assert (result.arrivals.scheduled, result.arrivals.sent, result.arrivals.dropped) == (40, 36, 2)
    assert (result.arrivals.further, result.arrivals.silent) == (34, 2)
    assert [each.scheduled for each in result.seconds] == [36, 36]


def test_what_the_server_used_is_averaged_over_the_measured_time(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    servers = [
        ServerSample(1.0, 1, 9.0, 9.0, 1, 1),
        ServerSample(1.0, 3, 0.6, 0.4, 100, 7),
        ServerSample(0.5, 3, 1.2, 0.8, 300, 5),
    ]

    result = record([second(index, endpoint(FAST)) for index in range(3)], servers=servers, warm_up="1s")

    assert result.server is not None
    assert (result.server.processes, result.server.rss_bytes, result.server.threads) == (3, 300, 7)
    assert result.server.cpu_ratio == pytest.approx(0.8)
    assert result.server.busiest_cpu_ratio == pytest.approx((0.4 + 0.4) / 1.5)
    assert [each.server_rss_bytes for each in result.seconds] == [1, 100, 300]


def test_an_unseen_server_is_not_a_server_of_zeros(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    assert record([second(0, endpoint(FAST))]).server is None


@pytest.mark.parametrize(
    ("reason", "partial"),
    [("duration", False), ("requests", False), ("scenario", False), ("interrupted", True), ("terminated", True)],
)
def test_a_run_is_partial_when_somebody_ended_it(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, ended: Callable[..., End], reason: str, partial: bool
) -> None:
    assert record([second(0, endpoint(FAST))], end=ended(1.0, reason)).partial is partial


def test_what_the_server_says_of_its_own_work_is_averaged_over_the_measured_seconds(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    seconds = [
        second(0, endpoint(FAST), server_timing={"queue;dur=900": 250}),
        second(1, endpoint(FAST), server_timing={"queue;dur=1, predict;dur=4": 1, 'predict;dur=6;desc="a, b"': 1}),
        second(2, endpoint(FAST), server_timing={"predict;dur=8, cache": 1, "not; a header": 1}),
    ]

    result = record(seconds, warm_up="1s")

    assert result.server is not None
    assert result.server.timings == {"queue": pytest.approx(0.001), "predict": pytest.approx(0.006)}
    assert result.server.cpu_ratio is None


def test_a_second_of_few_answers_counts_little_in_what_the_server_says(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    seconds = [
        second(0, endpoint(FAST), server_timing={"total;dur=10": 150, "total;dur=20": 150}),
        second(1, endpoint([0.5] * 5), server_timing={"total;dur=500": 5}),
    ]

    server = record(seconds, warm_up="none").server

    assert server is not None
    assert server.timings == {"total": pytest.approx((150 * 0.010 + 150 * 0.020 + 5 * 0.5) / 305)}


@pytest.mark.parametrize(
    ("known", "refuted"),
    [
        (Calibration(0.003, 1000.0, kept=True), False),
        # No median of an empty server is above what a real one took, and no ceiling below what was reached.
        (Calibration(0.005, 1000.0, kept=True), True),
        (Calibration(0.003, 200.0, kept=True), True),
        # Measured for this very run it is what it is.
        (Calibration(0.005, 200.0), False),
        (None, False),
    ],
)
def test_kept_figures_of_the_engine_that_a_run_exceeds_are_refuted(
    make_plan: Callable[..., LoadPlan],
    second: MakeSecond,
    endpoint: MakeEndpoint,
    known: Calibration | None,
    refuted: bool,
) -> None:
    recording = Recording(make_plan(), Environment("0.1.0", "3.11.7", "Linux", None, 2, 2**30, None), known)
    assert not recording.refutes_calibration()
    recording.add(second(0, endpoint([0.004] + [0.02] * 249)), Sample(0.3, None))
    assert recording.refutes_calibration() is refuted
    recording.calibrate(None)
    assert recording.result().generator.floor_s is None


def test_the_url_has_the_path_only_where_requests_went_to_it(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    scored, predicted = endpoint(FAST, name="/score"), endpoint(FAST)

    urls = [record([second(0, *endpoints)]).description.url for endpoints in ((scored,), (scored, predicted), ())]

    assert urls == ["http://127.0.0.1:8000", "http://127.0.0.1:8000/predict", "http://127.0.0.1:8000"]


@pytest.mark.parametrize(
    ("length", "warm_up", "stalled", "verdict"),
    [(10, "5s", 2, "trustworthy"), (200, "150s", 170, "generator-bound")],
    ids=["in the warm-up", "in the window, a two-hundredth of the run"],
)
def test_only_a_stall_of_the_generator_in_the_measured_window_counts(
    record: Record,
    second: MakeSecond,
    endpoint: MakeEndpoint,
    latencies: Callable[..., Latencies],
    length: int,
    warm_up: str,
    stalled: int,
    verdict: str,
) -> None:
    seconds = [
        second(index, endpoint([0.004] * 100), lag=latencies([0.08 if index == stalled else 0.0001] * 100))
        for index in range(length)
    ]

    result = record(seconds, rate_rps=100.0, warm_up=warm_up, duration_s=float(length))

    assert result.generator.verdict == verdict
    assert result.arrivals is not None
    assert result.arrivals.lag.max_s == (0.08 if verdict == "generator-bound" else 0.0001)


def test_lateness_is_kept_when_seconds_of_a_long_run_are_joined(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, latencies: Callable[..., Latencies]
) -> None:
    seconds = [second(index, endpoint([0.004] * 3), lag=latencies([0.0001] * 3)) for index in range(300)]

    result = record(seconds, rate_rps=3.0, warm_up="none")

    assert result.arrivals is not None
    assert result.arrivals.lag.mean_s == pytest.approx(0.0001)
    assert result.arrivals.lag.p99_s is not None, "900 durations know a p99"


@pytest.mark.parametrize(("back_s", "stable"), [(None, None), (8.5, None), (4.5, True)])
def test_a_window_in_which_a_worker_was_missing_is_not_called_steady(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, back_s: float | None, stable: bool | None
) -> None:
    seconds = [second(index, endpoint(FAST)) for index in range(15)]

    result = record(seconds, warm_up="5s", lost=[WorkerLost("host-7", 1.0, back_s)])

    assert result.window.stable is stable


def test_the_first_second_of_the_window_is_measured_however_its_start_was_added_up(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    for seed in range(20):
        chance = random.Random(seed)
        # The slots of a run are joined when there are more than 120, and their lengths added up anew.
        seconds = [second(index, endpoint([0.004]), elapsed_s=1 + chance.random() / 1e4) for index in range(122)]
        result = record(seconds, warm_up="120s", duration_s=122.0)
        assert [each.measured for each in result.seconds[119:]] == [False, True, True]
