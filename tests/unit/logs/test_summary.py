from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from perfcli.errors import MeasurementError
from perfcli.logs.entry import Record
from perfcli.logs.summary import FunctionTotal, Spread, slowest, summarize


def record(number: int, second: float, **metrics: object) -> Record:
    timestamp = f"2026-11-22T10:00:{second:09.6f}Z"
    document: dict[str, object] = {"timestamp": timestamp, "level": "INFO", "event.id": f"r{number}"}
    if metrics:
        document["performance_metrics"] = {
            "inference_time_ms": 10.0,
            "cpu_time_ms": 8.0,
            "memory_mb": 200.0,
            "memory_delta_mb": 0.0,
            "function_calls": None,
            "latency_ms": 12.0,
            "top_functions": None,
            "profiled": False,
            "profiler_overhead_ms": 0.0,
            "error": None,
            **metrics,
        }
    return Record(f"r{number}", timestamp, json.dumps(document).encode() + b"\n")


def test_throughput_is_predictions_over_the_time_from_the_first_start_to_the_last_end() -> None:
    # The first one began 500 ms before it was logged at 1.0 s; the last one ended at 5.5 s.
    log = [record(1, 1.0, latency_ms=500.0), record(2, 3.0, latency_ms=10.0), record(3, 5.5, latency_ms=100.0)]
    summary = summarize(reversed(log))
    assert summary.elapsed_s == 5.0
    assert summary.throughput_rps == 3 / 5.0
    assert (summary.first, summary.last) == ("2026-11-22T10:00:01.000000Z", "2026-11-22T10:00:05.500000Z")


@pytest.mark.parametrize("timestamp", ["2026-W47-7T10:00:00", "20261122T100000Z", "2026-11-22T11:00:00+01:00"])
def test_a_timestamp_may_have_any_form_of_iso_8601(timestamp: str) -> None:
    one = record(1, 2)
    line = json.dumps({**json.loads(one.line), "timestamp": timestamp, "performance_metrics": {"inference_time_ms": 1}})
    summary = summarize([record(2, 2, latency_ms=0.0), Record.from_line(line.encode())])
    assert summary.elapsed_s == 2.001


def test_one_prediction_takes_as_long_as_it_took() -> None:
    summary = summarize([record(1, 1.0, latency_ms=250.0)])
    assert (summary.elapsed_s, summary.throughput_rps) == (0.25, 4.0)


def test_the_percentiles_are_those_of_numpy() -> None:
    draw = random.Random(7)
    times = [draw.lognormvariate(1, 1) for _ in range(1000)]
    spread = summarize([record(n, n / 100, inference_time_ms=time) for n, time in enumerate(times)]).inference_time_ms
    expected = [np.quantile(times, q, method="inverted_cdf") for q in (0.5, 0.9, 0.95, 0.99)]
    assert [spread.p50, spread.p90, spread.p95, spread.p99] == pytest.approx(expected, abs=1e-6)
    assert spread.mean == pytest.approx(np.mean(times), abs=1e-6)
    assert spread.max == pytest.approx(max(times), abs=1e-6)


def test_a_percentile_with_too_few_samples_is_not_measured() -> None:
    spread = summarize([record(n, n, cpu_time_ms=float(n)) for n in range(50)]).cpu_time_ms
    assert spread == Spread(samples=50, mean=24.5, p50=24.0, p90=44.0, p95=None, p99=None, max=49.0)


def test_the_cost_of_the_profiler_is_taken_out_where_it_is_known() -> None:
    summary = summarize(
        [
            record(1, 1, inference_time_ms=30.0, latency_ms=40.0, function_calls=9, profiler_overhead_ms=18.0),
            record(2, 2, inference_time_ms=50.0, latency_ms=60.0, function_calls=9, profiler_overhead_ms=None),
            record(3, 3, inference_time_ms=10.0, latency_ms=20.0),
        ]
    )
    assert summary.profiled == 2
    assert (summary.inference_time_ms.samples, summary.inference_time_ms.mean) == (2, 11.0)
    assert (summary.latency_ms.samples, summary.latency_ms.mean) == (2, 21.0)
    assert (summary.logged_time_ms.samples, summary.logged_time_ms.mean) == (3, 30.0)


@pytest.mark.parametrize(("function_calls", "known"), [(None, [10.0]), (9, [])])
def test_metrics_that_say_nothing_of_a_cost_have_none_unless_they_were_profiled(
    function_calls: int | None, known: list[float]
) -> None:
    metrics = {"inference_time_ms": 10.0, "function_calls": function_calls}
    line = json.dumps({"timestamp": "2026-11-22T10:00:00Z", "event.id": "r1", "performance_metrics": metrics})
    spread = summarize([Record.from_line(line.encode())]).inference_time_ms
    assert (spread.samples, spread.max) == (len(known), max(known, default=None))


def test_functions_are_added_up_over_all_records() -> None:
    def function(name: str, self_ms: float, calls: int) -> dict[str, object]:
        return {
            "function": name,
            "file": "model.py",
            "line": 7,
            "cumulative_time_ms": 2 * self_ms,
            "total_time_ms": self_ms,
            "calls": calls,
        }

    summary = summarize(
        [
            record(1, 1, function_calls=5, top_functions=[function("a", 1.5, 2), function("b", 4.0, 1)]),
            record(2, 2),
            record(3, 3, function_calls=5, top_functions=[function("a", 3.0, 5)]),
        ]
    )
    assert summary.top_functions == (
        FunctionTotal("a", "model.py", 7, predictions=2, calls=7, total_time_ms=4.5, cumulative_time_ms=9.0),
        FunctionTotal("b", "model.py", 7, predictions=1, calls=1, total_time_ms=4.0, cumulative_time_ms=8.0),
    )


def test_errors_and_records_without_metrics_are_told_apart() -> None:
    summary = summarize([record(1, 1), record(2, 2, error="ValueError"), record(3, 3, error=None)])
    assert (summary.predictions, summary.errors) == (2, 1)


def test_the_log_of_the_original_system_can_be_summarized() -> None:
    metrics = {"inference_time_ms": 26.46, "cpu_time_ms": 26.35, "memory_mb": 263.48, "latency_ms": 26.46}
    line = {"timestamp": "2026-11-22T10:00:00.000000Z", "event.id": "r1", "performance_metrics": metrics}
    summary = summarize([Record("r1", str(line["timestamp"]), json.dumps(line).encode())])
    assert (summary.predictions, summary.logged_time_ms.mean, summary.top_functions) == (1, 26.46, ())


def test_a_log_without_metrics_says_how_to_switch_them_on() -> None:
    with pytest.raises(MeasurementError, match="ENABLE_PERFORMANCE_MONITORING=true"):
        summarize([record(1, 1)])


def test_the_slowest_are_ordered_by_what_they_took_without_the_profiler() -> None:
    log = [
        record(1, 1, inference_time_ms=20.0),
        record(2, 2, inference_time_ms=90.0, corrected_time_ms=15.0),
        record(3, 3, inference_time_ms=40.0, corrected_time_ms=None),
        record(4, 4),
    ]
    assert [found.id for found in slowest(log, 2)] == ["r3", "r1"]


def test_where_no_record_matches_nobody_is_told_to_switch_the_monitor_on() -> None:
    with pytest.raises(MeasurementError, match=r"^No record matches\."):
        summarize([])


def test_a_long_log_needs_no_room_for_its_records() -> None:
    functions = [
        {"function": f"f{n}", "file": "a.py", "line": n, "calls": 1, "total_time_ms": 1.0, "cumulative_time_ms": 2.0}
        for n in range(5)
    ]

    def log() -> Iterator[Record]:
        for number in range(4_000):
            yield record(number, number % 60, function_calls=3, top_functions=functions)

    summarize(log())
    tracemalloc.start()
    found = summarize(log())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.predictions == 4_000
    assert found.top_functions[0].predictions == 4_000
    # The lines alone are 800 bytes each; what was read out of them took 5000.
    assert peak_bytes < 4_000 * 700


@pytest.mark.parametrize(
    "metrics",
    [
        {"inference_time_ms": "fast"},
        {"inference_time_ms": None},
        {"latency_ms": [1]},
        {"corrected_time_ms": "x"},
        {"top_functions": 7},
        {"top_functions": ["f"]},
        {"top_functions": [{"function": "f"}]},
    ],
)
def test_metrics_of_somebody_else_are_passed_over(metrics: dict[str, object]) -> None:
    ours, theirs = record(1, 1.0, cpu_time_ms=8.0), record(2, 2.0, **metrics)
    assert summarize([ours, theirs]).predictions == 1
    assert slowest([ours, theirs], 2) == [ours]


def test_metrics_without_a_latency_have_a_length_all_the_same() -> None:
    summary = summarize([record(n, n, latency_ms=None, inference_time_ms=500.0) for n in (1, 2, 3)])
    assert (summary.elapsed_s, summary.throughput_rps) == (2.5, 3 / 2.5)
    assert summary.latency_ms.samples == 0


@pytest.mark.parametrize("name", ["inference_time_ms", "latency_ms", "memory_mb", "function_calls"])
@pytest.mark.parametrize("value", [1e308, -1e300, 10**19])
def test_what_nobody_can_have_measured_is_passed_over(name: str, value: float) -> None:
    assert summarize([record(1, 1.0, latency_ms=12.0), record(2, 2.0, **{name: value})]).predictions == 1
