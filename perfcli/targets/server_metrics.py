"""Collect and sum up the `performance_metrics` an instrumented API logged for the very requests that were measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from perfcli.records import FunctionTime, PerformanceMetrics, ServerView
from perfcli.records.metrics import TOP_FUNCTIONS
from perfcli.statistics import median
from perfcli.units import from_mebibytes, from_milliseconds

MAX_WAIT_S = 2.0
_QUIET_S = 0.5
_POLL_S = 0.1
_PAGE = 500

Record = Mapping[str, object]
LogPage = Callable[[int, int], Mapping[str, object] | None]
"""Answers `GET /logs` for a limit and an offset; None when there is no such log, or it fails."""


@dataclass(frozen=True, slots=True)
class RecordSearch:
    """Looks for the records of requests in the log of an API.

    Attributes:
        page: Reads one page of the log.
        now: Clock in seconds.
        sleep: Waits for seconds.
    """

    page: LogPage
    now: Callable[[], float]
    sleep: Callable[[float], None]

    def find(self, request_ids: frozenset[str]) -> list[Record]:
        """Return the metrics of these requests, waiting a little for those that are still on their way to the log.

        The wait ends when all are there, when none came for half a second (an API that samples has not all of them),
        and after `MAX_WAIT_S` in any case.
        """
        found: dict[str, Record] = {}
        deadline = self.now() + MAX_WAIT_S
        quiet_at = self.now() + _QUIET_S
        while True:
            before = len(found)
            if not self._read(request_ids, found, deadline) or len(found) == len(request_ids):
                break
            if len(found) > before:
                quiet_at = self.now() + _QUIET_S
            if self.now() + _POLL_S > min(deadline, quiet_at):
                break
            self.sleep(_POLL_S)
        return list(found.values())

    def _read(self, request_ids: frozenset[str], found: dict[str, Record], deadline: float) -> bool:
        """Add the records of all pages; false when the log cannot be read."""
        offset = 0
        while self.now() < deadline:
            page = self.page(_PAGE, offset)
            logs = page.get("logs") if page is not None else None
            if page is None or not isinstance(logs, list):
                return False
            for entry in _objects(logs):
                request_id, metrics = entry.get("transaction_id"), entry.get("performance_metrics")
                if isinstance(request_id, str) and request_id in request_ids and isinstance(metrics, dict):
                    found[request_id] = metrics
            offset += len(logs)
            if not logs or offset >= (_number(page, "total") or 0) or len(found) == len(request_ids):
                break
        return True


def summarize_records(records: Sequence[Record]) -> ServerView:
    """Return the medians of the records, and the server's functions per prediction, most self time first.

    A record names five functions at most, so that a function missing from it is unknown there and not 0: its figures
    are means over the records that name it, which it counts, and its rank is by its sum over all. Its share is of the
    time of the profiled predictions.
    """
    profiled = [record for record in records if _objects(record.get("top_functions"))]
    functions = _functions(profiled)
    return ServerView({}, _metrics(records, functions), len(records), functions, profiled=len(profiled))


def _metrics(records: Sequence[Record], functions: Sequence[FunctionTime]) -> PerformanceMetrics | None:
    medians = {key: _median(records, key) for key in ("inference_time_ms", "cpu_time_ms", "latency_ms", "memory_mb")}
    inference_ms, cpu_ms, latency_ms, memory_mb = medians.values()
    if inference_ms is None or cpu_ms is None or memory_mb is None:
        return None
    calls, delta_mb = _median(records, "function_calls"), _median(records, "memory_delta_mb")
    return PerformanceMetrics(
        inference_time_s=from_milliseconds(inference_ms),
        cpu_time_s=from_milliseconds(cpu_ms),
        memory_bytes=from_mebibytes(memory_mb),
        memory_delta_bytes=None if delta_mb is None else from_mebibytes(delta_mb),
        function_calls=None if calls is None else round(calls),
        latency_s=from_milliseconds(inference_ms if latency_ms is None else latency_ms),
        top_functions=tuple(function.as_top_function() for function in functions[:TOP_FUNCTIONS]) or None,
    )


def _functions(profiled: Sequence[Record]) -> tuple[FunctionTime, ...]:
    seen: dict[tuple[str, str, int], list[Record]] = {}
    for record in profiled:
        for function in _objects(record.get("top_functions")):
            key = (str(function.get("function")), str(function.get("file")), round(_number(function, "line") or 0))
            seen.setdefault(key, []).append(function)
    inference_ms = [time for record in profiled if (time := _number(record, "inference_time_ms"))]
    whole_s = from_milliseconds(fmean(inference_ms)) if inference_ms else None
    ranked = sorted(seen.items(), key=lambda item: -sum(_values(item[1], "total_time_ms")))
    return tuple(_function_time(key, runs, whole_s) for key, runs in ranked)


def _function_time(key: tuple[str, str, int], runs: Sequence[Record], whole_s: float | None) -> FunctionTime:
    self_s = from_milliseconds(_mean(runs, "total_time_ms"))
    cumulative_s = from_milliseconds(_mean(runs, "cumulative_time_ms"))
    return FunctionTime(
        function=key[0],
        file=key[1],
        line=key[2],
        calls=_mean(runs, "calls"),
        self_s=self_s,
        cumulative_s=cumulative_s,
        profiled_self_s=self_s,
        profiled_cumulative_s=cumulative_s,
        share=min(1.0, self_s / whole_s) if whole_s else 0.0,
        records=len(runs),
    )


def _objects(values: object) -> list[Record]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _values(records: Iterable[Record], key: str) -> list[float]:
    return [value for record in records if (value := _number(record, key)) is not None]


def _median(records: Iterable[Record], key: str) -> float | None:
    values = _values(records, key)
    return median(values) if values else None


def _mean(records: Iterable[Record], key: str) -> float:
    values = _values(records, key)
    return fmean(values) if values else 0.0


def _number(record: Record, key: str) -> float | None:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
