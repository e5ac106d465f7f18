from __future__ import annotations

from collections.abc import Callable

import pytest

from perfcli.loadtest.calibration import Calibration
from perfcli.loadtest.messages import End, Endpoint, ScenarioError, Second, WorkerLost
from perfcli.loadtest.server_metrics import ServerAccount
from perfcli.records.load import CountCheck, LoadResult

Record = Callable[..., LoadResult]
MakeSecond = Callable[..., Second]
MakeEndpoint = Callable[..., Endpoint]
FAST = [0.004] * 250


def codes(result: LoadResult) -> set[str]:
    return {warning.code for warning in result.warnings}


def test_the_few_samples_warning_names_the_number_each_percentile_needs(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    (warning,) = [each for each in record([second(0, endpoint(FAST))]).warnings if each.code == "few_samples"]

    assert warning.message == "Too few successes (250) for some percentiles: p99 needs 459, p99.9 needs 4603."


def test_an_exception_of_the_scenario_is_told(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, ended: Callable[..., End]
) -> None:
    traceback = '  File "/lib/locust/task.py", line 7, in run\n  File "/home/me/mine.py", line 12, in predict\n    x[y]'
    end = ended(1.0, scenario_errors=(ScenarioError("KeyError: 'x'", 3, traceback),))

    result = record([second(0, endpoint(FAST), cpu_ratio=1.0)], end=end)

    (warning,) = [each for each in result.warnings if each.code == "scenario_error"]
    assert warning.message == "The scenario raised KeyError: 'x' (3 times)."
    assert warning.hint == "Correct it at mine.py:12."
    assert result.generator.verdict == "generator-bound"
    assert result.diagnosis is not None
    assert result.diagnosis.startswith("Correct the scenario first")


def test_a_busy_machine_is_told(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    assert "busy_machine" in codes(record([second(0, endpoint(FAST))], machine_cpu_ratio=0.95))
    assert "busy_machine" not in codes(record([second(0, endpoint(FAST))], machine_cpu_ratio=0.85))


def test_a_request_that_was_sent_twice_is_told(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    assert "resent" in codes(record([second(0, endpoint(FAST), resent=1)]))


def test_a_latency_that_is_mostly_the_generators_own_is_told(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    calibration = Calibration(floor_s=0.0001, ceiling_rps=10_000.0)
    close, far = [
        record([second(0, endpoint([latency_s] * 500))], calibration=calibration) for latency_s in (0.00015, 0.00025)
    ]

    assert "near_floor" in codes(close)
    assert "near_floor" not in codes(far)
    assert (far.generator.floor_s, far.generator.ceiling_rps) == (0.0001, 10_000.0)


def test_counts_that_differ_are_told_and_equal_ones_are_not(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    equal, differing = [
        record(
            [second(0, endpoint(FAST))], told=ServerAccount(CountCheck("requests_total", count, 250), {"total": 0.003})
        )
        for count in (250, 251)
    ]

    assert "count_mismatch" not in codes(equal)
    assert "The server counted 251 requests, the client 250 answers." in [each.message for each in differing.warnings]
    assert equal.server is not None
    assert equal.server.timings == {"total": 0.003}


@pytest.mark.parametrize(
    ("counted", "refused", "reason"),
    [
        (251, 0, "somebody else may have asked, too."),
        (240, 9, "it may count only a part of its answers, or was started again."),
        (230, 20, "20 answers had a status of 5xx; a server at its limit, or a proxy, refuses before it counts."),
    ],
)
def test_counts_that_differ_are_explained(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, counted: int, refused: int, reason: str
) -> None:
    answers = endpoint([0.004] * (250 - refused), {"http_5xx": [0.001] * refused} if refused else None)

    result = record([second(0, answers)], told=ServerAccount(CountCheck("requests_total", counted, 250), {}))

    (warning,) = [each for each in result.warnings if each.code == "count_mismatch"]
    assert warning.hint == f"See requests_total: {reason}"


def test_a_server_may_have_counted_both_of_what_was_sent_twice(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    told = ServerAccount(CountCheck("requests_total", 253, 250), {})
    hints = [
        warning.hint
        for resent in (2, 3)
        for warning in record([second(0, endpoint(FAST), resent=resent)], told=told).warnings
        if warning.code == "count_mismatch"
    ]
    assert hints == [
        "See requests_total: somebody else may have asked, too.",
        "See requests_total: it may have counted both of requests that were sent twice.",
    ]


def test_a_lost_worker_is_named_with_the_moment(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    result = record([second(0, endpoint(FAST))], lost=[WorkerLost("host-7", 3.25)])

    assert result.warnings[0].message == "Worker host-7 was lost after 3.25 s; the run went on without it."
    assert result.partial is False


def test_a_worker_that_came_back_is_not_called_lost(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    result = record([second(0, endpoint(FAST))], lost=[WorkerLost("host-7", 3.25, 10.5)])

    assert (result.warnings[0].code, result.warnings[0].message) == (
        "worker_silent",
        "Worker host-7 said nothing from 3.25 s to 10.5 s; the run went on without it.",
    )
    assert "missing" not in result.warnings[0].hint
