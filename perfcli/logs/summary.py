"""What a log says about all its predictions together."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from operator import add, attrgetter, itemgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import orjson

from perfcli.errors import MeasurementError, MissingExtraError
from perfcli.logs.entry import Record
from perfcli.statistics import percentile_or_none

if TYPE_CHECKING:
    import pandas as pd

_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Spread:
    """One quantity over the predictions that have it.

    Attributes:
        samples: Predictions that have it.
        mean: None without samples.
        p50: Nearest rank; as all percentiles None with fewer samples than it needs.
        p90: Likewise.
        p95: Likewise.
        p99: Likewise.
        max: None without samples.
    """

    samples: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class FunctionTotal:
    """One function, added up over the profiled predictions that had it among their top five.

    Attributes:
        function: Its name.
        file: Its file.
        line: Its first line.
        predictions: How many predictions had it there.
        calls: Calls in them.
        total_time_ms: Time in the function itself, as cProfile saw it.
        cumulative_time_ms: Time in it and in all it calls, as cProfile saw it.
    """

    function: str
    file: str
    line: int
    predictions: int
    calls: int
    total_time_ms: float
    cumulative_time_ms: float


@dataclass(frozen=True, slots=True)
class LogSummary:
    """All predictions of a log.

    Attributes:
        predictions: Records with metrics.
        first: Timestamp of the first.
        last: Timestamp of the last.
        elapsed_s: From the start of the first prediction to the end of the last.
        throughput_rps: Predictions per second of that time; None when it has no length.
        errors: Predictions that raised.
        profiled: Predictions with a deep profile.
        inference_time_ms: With the estimated cost of the profiler taken out; without the predictions for which nobody
            knows it.
        logged_time_ms: As logged, under the profiler where there was one.
        latency_ms: End to end in the server, with the cost of the profiler taken out likewise.
        cpu_time_ms: CPU time of the predicting thread, under the profiler where there was one.
        memory_mb: Resident set after the prediction, MiB.
        top_functions: Most expensive first.
    """

    predictions: int
    first: str
    last: str
    elapsed_s: float
    throughput_rps: float | None
    errors: int
    profiled: int
    inference_time_ms: Spread
    logged_time_ms: Spread
    latency_ms: Spread
    cpu_time_ms: Spread
    memory_mb: Spread
    top_functions: tuple[FunctionTotal, ...]

    def document(self) -> dict[str, object]:
        """Return the summary as JSON shows it."""
        return {"schema": "perfcli/log-summary/1", **asdict(self)}


def summarize(records: Iterable[Record], top: int = 10) -> LogSummary:
    """Summarize the performance metrics of a log, in whatever order its records come.

    Args:
        records: Those without metrics are passed over. They are read once, and not kept.
        top: Most functions.

    Raises:
        MeasurementError: There is no record, or none of them has metrics.
        MissingExtraError: pandas is not installed.
    """
    pd = _pandas()
    columns: dict[str, list[object]] = {name: [] for name in _COLUMNS}
    functions = _FunctionTotals()
    is_empty = True
    for record in records:
        is_empty = False
        if (metrics := metrics_of(record)) is not None:
            for name, column in columns.items():
                column.append(metrics.get(name))
            functions.add(metrics)
    if is_empty:
        raise MeasurementError("No record matches.", "Look further back with --since, or in another place with --from.")
    frame = pd.DataFrame(columns)
    if frame.empty:
        raise MeasurementError(
            "The log has no performance metrics.", "Switch them on: ENABLE_PERFORMANCE_MONITORING=true"
        )
    ended_s = frame["timestamp"].map(_epoch_s)
    # Metrics that somebody logs on their own may have no latency.
    took_ms = frame["latency_ms"].astype(float).fillna(frame["inference_time_ms"].astype(float))
    elapsed_s = float(ended_s.max() - (ended_s - took_ms / 1000).min())
    is_profiled = frame["function_calls"].notna()
    # Not a number where nobody knows it, and so is what is corrected with it.
    overhead_ms = frame["profiler_overhead_ms"].astype(float)
    return LogSummary(
        predictions=len(frame),
        first=frame["timestamp"].min(),
        last=frame["timestamp"].max(),
        elapsed_s=round(elapsed_s, 6),
        throughput_rps=len(frame) / elapsed_s if elapsed_s > 0 else None,
        errors=int(frame["error"].notna().sum()),
        profiled=int(is_profiled.sum()),
        inference_time_ms=_spread(frame["inference_time_ms"].astype(float) - overhead_ms),
        logged_time_ms=_spread(frame["inference_time_ms"]),
        latency_ms=_spread(frame["latency_ms"].astype(float) - overhead_ms),
        cpu_time_ms=_spread(frame["cpu_time_ms"]),
        memory_mb=_spread(frame["memory_mb"]),
        top_functions=functions.most_expensive(top),
    )


def slowest(records: Iterable[Record], count: int) -> list[Record]:
    """Return the records with the longest predictions, the slowest first.

    A profiled prediction counts with its corrected time where the record has one.
    """
    measured = ((inference_ms(metrics), record) for record in records if (metrics := metrics_of(record)) is not None)
    return [record for _, record in heapq.nlargest(count, measured, key=itemgetter(0))]


def metrics_of(record: Record) -> Mapping[str, object] | None:
    """Return the metrics of a record and when it was logged; None when it is no prediction's, or somebody else's."""
    metrics = orjson.loads(record.line).get("performance_metrics")
    if not isinstance(metrics, dict) or metrics.get("inference_time_ms") is None or not _has_our_types(metrics):
        return None
    # Who logs metrics of his own may not say it; what was not profiled has no cost of a profile.
    overhead_ms = 0.0 if metrics.get("function_calls") is None else None
    return {"profiler_overhead_ms": overhead_ms, **metrics, "timestamp": record.timestamp}


def inference_ms(metrics: Mapping[str, object]) -> float:
    """Return how long the prediction of these metrics took, freed of the profiler's cost where that is known."""
    corrected = metrics.get("corrected_time_ms")
    return cast(float, metrics["inference_time_ms"] if corrected is None else corrected)


_NUMBERS = [
    "inference_time_ms",
    "cpu_time_ms",
    "memory_mb",
    "function_calls",
    "latency_ms",
    "profiler_overhead_ms",
]
_COLUMNS = ["timestamp", *_NUMBERS, "error"]
# 31 years in milliseconds: what is beyond is no measurement, and a calendar ends.
_LARGEST = 1e12
_FUNCTION_NUMBERS = ["line", "calls", "total_time_ms", "cumulative_time_ms"]


def _has_our_types(metrics: Mapping[str, object]) -> bool:
    """Tell whether they can be added up: anybody may hand anything to `log_metrics`."""
    functions = metrics.get("top_functions") or []
    return (
        all(metrics.get(name) is None or _is_number(metrics[name]) for name in (*_NUMBERS, "corrected_time_ms"))
        and isinstance(functions, list)
        and all(isinstance(function, dict) and _is_function(function) for function in functions)
    )


def _is_function(function: Mapping[str, object]) -> bool:
    return (
        isinstance(function.get("function"), str)
        and isinstance(function.get("file"), str)
        and all(_is_number(function.get(name)) for name in _FUNCTION_NUMBERS)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= _LARGEST


def _epoch_s(timestamp: str) -> float:
    # As it is read elsewhere; pandas knows fewer of the forms that ISO 8601 has.
    moment = datetime.fromisoformat(timestamp)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _pandas() -> ModuleType:
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("Summarizing a log", "model") from None
    return pd


def _spread(column: pd.Series[float]) -> Spread:
    # To the nanosecond; below 0 is an overhead that was estimated too high.
    samples: list[float] = column.dropna().astype(float).clip(lower=0.0).round(6).tolist()
    shown = {name: percentile_or_none(samples, q) if samples else None for name, q in _PERCENTILES.items()}
    mean = round(sum(samples) / len(samples), 6) if samples else None
    return Spread(samples=len(samples), mean=mean, max=max(samples, default=None), **shown)


class _FunctionTotals:
    """Adds up functions over predictions."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str, int], list[float]] = {}

    def add(self, metrics: Mapping[str, object]) -> None:
        """Add the functions of one prediction, if it has any."""
        for function in cast(list[dict[str, Any]], metrics.get("top_functions") or ()):
            key = function["function"], function["file"], function["line"]
            total = self._totals.setdefault(key, [0, 0, 0.0, 0.0])
            added = 1, function["calls"], function["total_time_ms"], function["cumulative_time_ms"]
            total[:] = map(add, total, added)

    def most_expensive(self, top: int) -> tuple[FunctionTotal, ...]:
        """Return those with most time of their own, the most expensive first."""
        found = (
            FunctionTotal(*key, int(predictions), int(calls), total_ms, cumulative_ms)
            for key, (predictions, calls, total_ms, cumulative_ms) in self._totals.items()
        )
        return tuple(heapq.nlargest(top, found, key=attrgetter("total_time_ms")))
