from __future__ import annotations

import io
import json

import pytest

from perfcli.logs.entry import Record
from perfcli.logs.summary import summarize
from perfcli.logs.text import describe, write_summary

PREDICTION = {
    "inference_time_ms": 26.46,
    "cpu_time_ms": 26.4,
    "memory_mb": 263.48,
    "memory_delta_mb": 1.55,
    "function_calls": 26025,
    "latency_ms": 30.0,
    "top_functions": [
        {"function": "predict", "file": "a.py", "line": 45, "cumulative_time_ms": 26, "total_time_ms": 11, "calls": 1},
        {"function": "sum", "file": "", "line": 0, "cumulative_time_ms": 4, "total_time_ms": 4, "calls": 30},
    ],
    "profiler_overhead_ms": 16.46,
    "corrected_time_ms": 10.0,
    "error": "ValueError",
}


def record(**fields: object) -> Record:
    document = {
        "timestamp": "2026-11-22T10:00:00.123456Z",
        "level": "INFO",
        "event.id": "a",
        "message": "hello",
        **fields,
    }
    return Record("a", "2026-11-22T10:00:00.123456Z", json.dumps(document).encode() + b"\n")


def test_a_profiled_prediction_shows_what_it_took_without_the_profiler() -> None:
    assert describe(record(transaction_id="t1", performance_metrics=PREDICTION)) == (
        "2026-11-22T10:00:00.123Z  INFO     t1  inference 26.5 ms, CPU 26.4 ms, latency 30.0 ms, RSS 263 MiB, "
        "26025 calls, 10.0 ms without the profiler, error ValueError"
    )


def test_another_record_shows_its_message() -> None:
    assert describe(record(level="WARNING")) == "2026-11-22T10:00:00.123Z  WARNING  -  hello"


def test_what_was_not_measured_is_no_zero() -> None:
    metrics = {"inference_time_ms": 26.46, "cpu_time_ms": None}
    assert describe(record(performance_metrics=metrics)).endswith("inference 26.5 ms, CPU -, latency -, RSS -")


def test_the_summary_of_profiled_predictions_names_both_times_and_the_functions() -> None:
    stream = io.StringIO()
    write_summary(summarize([record(performance_metrics=PREDICTION)]), stream)
    rows = [line.split() for line in stream.getvalue().splitlines()]
    assert " ".join(rows[0]) == "1 prediction in 30.0 ms, 33.3/s, 1 with an error, 1 profiled"
    for name, shown in (
        ("inference, profiler taken out", "10.0 ms"),
        ("inference, profiler included", "26.5 ms"),
        ("latency in the server, profiler taken out", "13.5 ms"),
        ("CPU time, profiler included", "26.4 ms"),
    ):
        assert f"{name} 1 {shown} - - - - {shown}".split() in rows
    assert ["Functions:", "sums", "over", "1", "profiled", "prediction,", "profiler", "included"] in rows
    assert ["predict", "a.py:45", "1", "1", "11.0", "ms", "26.0", "ms"] in rows
    assert ["sum", "builtin", "1", "30", "4.00", "ms", "4.00", "ms"] in rows


@pytest.mark.parametrize(("columns", "widest"), [("80", 80), ("110", 110), (None, 100)])
def test_the_summary_in_a_pipe_is_as_wide_as_columns_says(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, widest: int
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    # So many that every percentile is known, which is more than any of these widths holds unfolded.
    records = [record(performance_metrics={**PREDICTION, "inference_time_ms": 100.0 + n}) for n in range(500)]
    stream = io.StringIO()
    write_summary(summarize(records), stream)
    assert widest - 10 < max(map(len, stream.getvalue().splitlines())) <= widest


def test_the_summary_of_light_predictions_does_not_speak_of_the_profiler() -> None:
    light = {"inference_time_ms": 2.0, "cpu_time_ms": 1.0, "latency_ms": 3.0, "profiler_overhead_ms": 0.0}
    stream = io.StringIO()
    write_summary(summarize([record(performance_metrics=light)]), stream)
    rows = [" ".join(line.split()) for line in stream.getvalue().splitlines()]
    assert "inference 1 2.00 ms - - - - 2.00 ms" in rows
    assert "latency in the server 1 3.00 ms - - - - 3.00 ms" in rows
    assert "profiler" not in stream.getvalue()


@pytest.mark.parametrize(("level", "shown"), [(None, "-      "), ([], "-      "), (["a"], "['a']  "), (30, "30     ")])
def test_a_level_may_be_anything(level: object, shown: str) -> None:
    assert describe(record(level=level)) == f"2026-11-22T10:00:00.123Z  {shown}  -  hello"


def test_a_record_is_one_line_and_says_nothing_to_the_terminal() -> None:
    assert describe(record(message="one\ntwo \x1b[31mred\u2028 \u00e9\u65e5", transaction_id="t\r1")) == (
        r"2026-11-22T10:00:00.123Z  INFO     t\r1  one\ntwo \x1b[31mred\u2028 " + "\u00e9\u65e5"
    )


def test_a_function_of_a_summary_says_nothing_to_the_terminal() -> None:
    function = {"file": "a.py\n", "line": 1, "calls": 1, "cumulative_time_ms": 1.0, "total_time_ms": 1.0}
    metrics = {**PREDICTION, "top_functions": [{"function": "[red]f\x1b[31m", **function}]}
    stream = io.StringIO()
    write_summary(summarize([record(performance_metrics=metrics)]), stream)
    assert r"[red]f\x1b[31m" in stream.getvalue()
    assert r"a.py\n:1" in stream.getvalue()


def test_a_record_without_a_message_has_none() -> None:
    assert describe(record(message=None)) == "2026-11-22T10:00:00.123Z  INFO     -  "


@pytest.mark.parametrize(("columns", "left_out"), [(50, "mean, p90, p95, max"), (60, "mean, p90, p95")])
def test_a_narrow_summary_leaves_columns_out_and_cuts_nothing(
    monkeypatch: pytest.MonkeyPatch, columns: int, left_out: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    metrics = {**PREDICTION, "error": None, "corrected_time_ms": None, "profiler_overhead_ms": None}
    records = [record(performance_metrics=metrics) for _ in range(500)]
    stream = io.StringIO()
    write_summary(summarize(records), stream)
    shown = stream.getvalue()
    assert "…" not in shown
    assert f"  {left_out}: in a wider terminal" in shown
    rows = [line.split() for line in shown.splitlines()]
    [memory] = [row for row in rows if row[:1] == ["RSS"]]
    assert memory == ["RSS", "500", *["263", "MiB"] * (6 - len(left_out.split(", ")))]
    assert any(row[:1] == ["predict"] and row[-4:] == ["5.50", "s", "13.0", "s"] for row in rows)
