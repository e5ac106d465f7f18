"""The server's own records: found page by page, waited for a little, summed up."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from perfcli.records import FunctionTime, PerformanceMetrics, ServerView, TopFunction
from perfcli.targets.server_metrics import MAX_WAIT_S, RecordSearch, summarize_records


def entry(request_id: object, **metrics: object) -> dict[str, object]:
    return {"transaction_id": request_id, "performance_metrics": metrics}


class FakeApi:
    """A log that changes as time passes; only sleeping takes time."""

    def __init__(self, *states: object, read_s: float = 0.0) -> None:
        self.states = states
        self.now_s = 0.0
        self.polls = 0
        self.read_s = read_s

    def page(self, limit: int, offset: int) -> Mapping[str, object] | None:
        if offset == 0:
            self.polls += 1
        self.now_s += self.read_s
        logs = self.states[min(self.polls, len(self.states)) - 1]
        if not isinstance(logs, list):
            return logs
        return {"total": len(logs), "logs": logs[offset : offset + limit]}

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def find(self, *request_ids: str) -> list[Mapping[str, object]]:
        return RecordSearch(self.page, lambda: self.now_s, self.sleep).find(frozenset(request_ids))


def test_only_the_records_of_these_requests_are_taken() -> None:
    api = FakeApi([entry("a", n=1), entry("other", n=2), {"transaction_id": "b"}, "text", entry(None), entry("b", n=3)])
    assert api.find("a", "b") == [{"n": 1}, {"n": 3}]
    assert api.now_s == 0


def test_all_pages_are_read() -> None:
    logs = [entry(f"r{number}", n=number) for number in range(1200)]
    assert len(FakeApi(logs).find(*(f"r{number}" for number in range(0, 1200, 100)))) == 12


def test_it_waits_for_records_on_their_way() -> None:
    api = FakeApi([], [entry("a", n=1)], [entry("b", n=2), entry("a", n=1)])
    assert api.find("a", "b") == [{"n": 1}, {"n": 2}]
    assert api.now_s == pytest.approx(0.2)


def test_it_stops_waiting_when_a_while_brings_none() -> None:
    api = FakeApi([], [entry("a", n=1)])
    assert api.find("a", "b") == [{"n": 1}]
    assert api.now_s == pytest.approx(0.6)
    nothing = FakeApi([])
    assert nothing.find("a") == []
    assert nothing.now_s == pytest.approx(0.5)


def test_it_never_waits_longer_than_two_seconds() -> None:
    trickle = FakeApi(*([entry(f"r{last}", n=last) for last in range(polls)] for polls in range(100)))
    assert len(trickle.find(*(f"r{number}" for number in range(100)))) == 19
    assert trickle.now_s <= MAX_WAIT_S
    slow = FakeApi([entry("other")] * 5000, read_s=0.7)
    assert slow.find("a") == []
    assert slow.now_s < MAX_WAIT_S + 0.7


@pytest.mark.parametrize("answer", [None, {}, {"logs": "none"}, {"total": 3}])
def test_a_log_that_is_absent_or_strange_has_no_records(answer: object) -> None:
    api = FakeApi(answer)
    assert api.find("a") == []
    assert (api.polls, api.now_s) == (1, 0)


@pytest.mark.parametrize("total", [None, "many", 0])
def test_a_log_without_a_total_is_one_page(total: object) -> None:
    api = FakeApi({"total": total, "logs": [entry("a", n=1)]})
    assert api.find("a") == [{"n": 1}]


def function(name: str, total_time_ms: float, cumulative_time_ms: float, calls: int) -> dict[str, object]:
    return {
        "function": name,
        "file": "model.py",
        "line": 7,
        "total_time_ms": total_time_ms,
        "cumulative_time_ms": cumulative_time_ms,
        "calls": calls,
    }


LIGHT = {
    "inference_time_ms": 2.0,
    "cpu_time_ms": 1.0,
    "memory_mb": 100.0,
    "memory_delta_mb": None,
    "function_calls": None,
    "latency_ms": 3.0,
    "top_functions": None,
}


def test_metrics_are_medians_and_functions_are_per_prediction() -> None:
    deep = LIGHT | {
        "inference_time_ms": 10.0,
        "memory_delta_mb": 0.25,
        "function_calls": 400,
        "top_functions": [function("predict", 4.0, 9.0, 1), function("scale", 1.0, 1.5, 2)],
    }
    deeper = LIGHT | {
        "inference_time_ms": 30.0,
        "cpu_time_ms": 7.0,
        "memory_delta_mb": 0.75,
        "function_calls": 600,
        "top_functions": [function("predict", 8.0, 11.0, 1), function("rare", 9.0, 9.0, 3)],
    }
    view = summarize_records([LIGHT, deep, deeper])
    assert (view.records, view.profiled) == (3, 2)
    assert view.functions == (
        FunctionTime("predict", "model.py", 7, 1.0, 0.006, 0.010, 0.006, 0.010, 0.3, records=2),
        FunctionTime("rare", "model.py", 7, 3.0, 0.009, 0.009, 0.009, 0.009, 0.009 / 0.020, records=1),
        FunctionTime("scale", "model.py", 7, 2.0, 0.001, 0.0015, 0.001, 0.0015, 0.05, records=1),
    )
    assert view.metrics == PerformanceMetrics(
        inference_time_s=0.010,
        cpu_time_s=0.001,
        memory_bytes=100 * 2**20,
        memory_delta_bytes=2**19,
        function_calls=500,
        latency_s=0.003,
        top_functions=(
            TopFunction("predict", "model.py", 7, 0.010, 0.006, 1),
            TopFunction("rare", "model.py", 7, 0.009, 0.009, 3),
            TopFunction("scale", "model.py", 7, 0.0015, 0.001, 2),
        ),
    )


def test_where_nothing_was_profiled_nobody_looked_at_the_growth_of_memory() -> None:
    metrics = summarize_records([LIGHT, LIGHT]).metrics
    assert metrics is not None
    assert metrics.memory_delta_bytes is None


def test_records_that_are_not_profiled_have_no_functions() -> None:
    view = summarize_records([LIGHT])
    metrics = view.metrics
    assert (view.records, view.profiled, view.functions) == (1, 0, ())
    assert metrics is not None
    assert (metrics.function_calls, metrics.top_functions) == (None, None)


@pytest.mark.parametrize("value", [None, "fast", True, float("nan")])
def test_a_record_without_numbers_is_not_measured(value: object) -> None:
    assert summarize_records([LIGHT | {"inference_time_ms": value}]).metrics is None
    assert summarize_records([]) == ServerView({}, None, 0, ())
