"""The summary of recent predictions, on records whose truth is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from perfcli.api.performance import CostlyFunction, Spread, summarize
from perfcli.api.performance_page import look_back
from perfcli.logs import Record
from perfcli.logs.query import as_timestamp

_NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _record(age_s: float) -> Record:
    """Make the record of a prediction; by a clock that was set back, its age is negative."""
    timestamp = as_timestamp(_NOW - timedelta(seconds=age_s))
    return Record(f"id{age_s}", timestamp, orjson.dumps({"performance_metrics": {"age_s": age_s}}))


def _metrics(number: int, *, profiled: bool = False, overhead_ms: float | None = 0.0) -> dict[str, object]:
    function = {"function": "predict", "file": "predictor.py", "line": 45, "calls": 1}
    return {
        "inference_time_ms": float(number) + (overhead_ms or 0.0),
        "cpu_time_ms": number / 2 + (overhead_ms or 0.0),
        "latency_ms": number + 1.0 + (overhead_ms or 0.0),
        "top_functions": [{**function, "cumulative_time_ms": 20.0, "total_time_ms": 11.0}] if profiled else None,
        "profiled": profiled,
        "profiler_overhead_ms": overhead_ms,
        "reason": None if profiled else "sampled out",
        "error": None,
    }


def test_percentiles_are_those_of_the_unprofiled_durations() -> None:
    records = [_metrics(number) for number in range(1, 501)]
    summary = summarize(records, window_s=100.0)
    assert summary.inference_time_ms == Spread(samples=500, p50=250.0, p90=450.0, p95=475.0, p99=495.0)
    assert summary.latency_ms == Spread(samples=500, p50=251.0, p90=451.0, p95=476.0, p99=496.0)
    assert summary.cpu_time_ms == Spread(samples=500, p50=125.0, p90=225.0, p95=237.5, p99=247.5)
    assert (summary.predictions, summary.throughput_rps, summary.profiled) == (500, 5.0, 0)
    assert summary.not_profiled == {"sampled out": 500}


def test_the_cost_of_the_profiler_is_taken_out_of_profiled_durations() -> None:
    plain = [_metrics(number) for number in range(1, 11)]
    deep = [_metrics(number, profiled=True, overhead_ms=5.0) for number in range(1, 11)]
    assert summarize(deep, 1.0).inference_time_ms == summarize(plain, 1.0).inference_time_ms
    assert summarize(deep, 1.0).latency_ms == summarize(plain, 1.0).latency_ms


def test_a_profiled_duration_with_unknown_inflation_is_not_counted_as_a_duration() -> None:
    summary = summarize([_metrics(7, profiled=True, overhead_ms=None)], 1.0)
    assert (summary.predictions, summary.inference_time_ms.samples) == (1, 0)


def test_a_percentile_without_enough_samples_is_null_and_says_how_many_it_needs() -> None:
    summary = summarize([_metrics(number) for number in range(1, 11)], 1.0)
    assert summary.inference_time_ms == Spread(samples=10, p50=5.0, p90=None, p95=None, p99=None)
    assert summary.samples_needed == {"p50": 7, "p90": 44, "p95": 90, "p99": 459}


def test_no_predictions_are_a_summary_without_numbers() -> None:
    summary = summarize([], 0.0)
    assert summary.predictions == 0
    assert summary.throughput_rps is None
    assert summary.inference_time_ms == Spread(samples=0, p50=None, p90=None, p95=None, p99=None)


def test_errors_are_counted() -> None:
    assert summarize([_metrics(1) | {"error": "ValueError"}, _metrics(2)], 1.0).errors == 1


def test_functions_are_added_up_over_the_profiled_predictions() -> None:
    records = [_metrics(1, profiled=True, overhead_ms=1.0), _metrics(2), _metrics(3, profiled=True, overhead_ms=1.0)]
    assert summarize(records, 1.0).top_functions == [
        CostlyFunction(
            function="predict",
            file="predictor.py",
            line=45,
            predictions=2,
            calls=2,
            total_time_ms=22.0,
            cumulative_time_ms=40.0,
        )
    ]


@pytest.mark.parametrize(
    ("ages_s", "uptime_s", "is_cut", "found_s", "covered_s"),
    [
        ([10, 200, 400], 1000, False, [10, 200], 300),
        ([10, 20], 60, False, [10, 20], 60),
        # A log of other workers, older than this one.
        ([10, 100], 60, False, [10, 100], 100),
        ([10, 20], 1000, True, [10, 20], 20),
        ([], 60, False, [], 60),
        # The clock has been set back by an hour.
        ([10, 20, -3500, -3490], 1000, False, [10, 20], 20),
        ([-3500, -3490], 1000, False, [], 0),
    ],
)
def test_the_window_is_the_part_of_what_was_asked_for_in_which_nothing_is_missing(
    ages_s: list[float], uptime_s: float, is_cut: bool, found_s: list[float], covered_s: float
) -> None:
    metrics, window_s = look_back([_record(age_s) for age_s in ages_s], _NOW, 300, uptime_s, is_cut)
    assert ([each["age_s"] for each in metrics], window_s) == (found_s, covered_s)
