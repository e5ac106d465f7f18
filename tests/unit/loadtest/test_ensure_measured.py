from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from perfcli.errors import MeasurementError, TargetUnreachableError
from perfcli.loadtest.messages import End, Endpoint, ScenarioError, Second
from perfcli.loadtest.run import ensure_answered, ensure_measured
from perfcli.records.load import LoadResult
from perfcli.records.profile import Advice

Record = Callable[..., LoadResult]
MakeSecond = Callable[..., Second]
MakeEndpoint = Callable[..., Endpoint]


def test_a_run_with_answers_is_measured_even_if_all_of_them_are_failures(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    ensure_measured(record([second(0, endpoint([], {"http_5xx": [0.001] * 5}))]))


@pytest.mark.parametrize(
    ("failed", "example", "hint"),
    [
        ({"http_4xx": [0.001]}, "http_4xx as an example", "The path, the payloads and the headers are"),
        ({"check_failed": [0.001]}, "check_failed as an example", "judge them by their status alone: --check status."),
        ({"check_failed": [0.001]}, "status 302: ", "The path, the payloads and the headers are"),
        ({"http_5xx": [0.001], "check_failed": [0.001]}, "check_failed as an example", "The path, the payloads"),
    ],
)
def test_a_run_in_which_all_failed_names_the_likely_cause(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, failed: dict[str, list[float]], example: str, hint: str
) -> None:
    result = record([second(0, endpoint([], failed))])
    errors = tuple(replace(error, example=example) for error in result.errors)

    with pytest.raises(MeasurementError, match="Every request failed, so no latency was measured") as caught:
        ensure_answered(replace(result, errors=errors))

    assert hint in caught.value.hint


def test_a_run_without_requests_is_not(record: Record, second: MakeSecond) -> None:
    with pytest.raises(MeasurementError, match="No request ended"):
        ensure_measured(record([second(0)]))


def test_a_scenario_that_raised_before_its_first_request_is_named(
    record: Record, second: MakeSecond, ended: Callable[..., End]
) -> None:
    end = ended(1.0, scenario_errors=(ScenarioError("KeyError: 'x'", 3, ""),))

    with pytest.raises(MeasurementError) as caught:
        ensure_measured(record([second(0)], end=end))

    assert caught.value.message == "No request ended. The scenario raised KeyError: 'x' (3 times)."
    assert caught.value.hint == "Correct it."


def test_a_server_that_no_request_reached_is_unreachable(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    failed = {"refused": [0.001] * 5, "connect_timeout": [1.0]}

    with pytest.raises(TargetUnreachableError, match="refused as an example"):
        ensure_measured(record([second(0, endpoint([], failed))]))

    ensure_measured(record([second(0, endpoint([0.001], failed))]))


def test_a_run_that_was_all_warm_up_is_not_measured(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    with pytest.raises(MeasurementError, match="after the warm-up"):
        ensure_measured(record([second(0, endpoint([0.001] * 5))], warm_up="9s"))


def test_an_interruption_before_the_first_answer_is_nobodys_fault(
    record: Record, second: MakeSecond, ended: Callable[..., End]
) -> None:
    result = record([second(0)], end=ended(1.0, "interrupted"))

    ensure_measured(result)
    assert [warning.message for warning in result.warnings] == [
        "The run was interrupted before the first answer: nothing was measured."
    ]


def test_a_crash_is_an_error_however_much_was_measured(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    result = record([second(0, endpoint([0.001] * 500))])
    crashed = replace(result, warnings=(Advice("engine_crashed", "The load engine died.", "Look."), *result.warnings))

    with pytest.raises(MeasurementError, match="The load engine died"):
        ensure_measured(crashed)
