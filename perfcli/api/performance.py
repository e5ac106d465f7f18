"""What the recent predictions cost, worked out from the very records that /logs shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from pydantic import BaseModel, Field

from perfcli.statistics import percentile_or_none, samples_needed

Metrics: TypeAlias = Mapping[str, object]

_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_TOP = 10


class Spread(BaseModel):
    """Percentiles (nearest rank) of one quantity; null with fewer samples than the percentile needs."""

    samples: int
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class CostlyFunction(BaseModel):
    """One function, added up over the profiled predictions that had it among their top five."""

    function: str
    file: str
    line: int
    predictions: int = Field(description="Profiled predictions that had it among their top five.")
    calls: int
    total_time_ms: float = Field(description="Time in the function itself, as cProfile saw it.")
    cumulative_time_ms: float = Field(description="Time in the function and in all it calls, as cProfile saw it.")


class Performance(BaseModel):
    """Recent predictions. Durations of profiled ones count with the profiler's estimated cost taken out."""

    window_s: float = Field(description="Time looked back on; shorter than asked for when older records are gone.")
    predictions: int | None
    errors: int | None
    profiled: int | None
    not_profiled: dict[str, int] | None = Field(description="Predictions that were not profiled, by reason.")
    unknown: str | None = Field(
        default=None,
        description="Why nothing is known of predictions, whose numbers are null then; null where they are known.",
    )
    throughput_rps: float | None = Field(description="Predictions per second of the window.")
    inference_time_ms: Spread
    latency_ms: Spread
    cpu_time_ms: Spread
    samples_needed: dict[str, int] = Field(description="Samples from which on a percentile is shown.")
    top_functions: list[CostlyFunction]


def summarize(records: Sequence[Metrics], window_s: float) -> Performance:
    """Summarize the `performance_metrics` of the predictions of a window."""
    profiled = [metrics for metrics in records if metrics["profiled"]]
    return Performance(
        window_s=round(window_s, 3),
        predictions=len(records),
        errors=sum(metrics.get("error") is not None for metrics in records),
        profiled=len(profiled),
        not_profiled=_count(str(metrics.get("reason")) for metrics in records if not metrics["profiled"]),
        throughput_rps=round(len(records) / window_s, 3) if window_s > 0 else None,
        inference_time_ms=_spread(_without_profiler(metrics, "inference_time_ms") for metrics in records),
        latency_ms=_spread(_without_profiler(metrics, "latency_ms") for metrics in records),
        cpu_time_ms=_spread(_without_profiler(metrics, "cpu_time_ms") for metrics in records),
        samples_needed={name: samples_needed(q) for name, q in _PERCENTILES.items()},
        top_functions=_top_functions(profiled),
    )


def unknown(reason: str, window_s: float) -> Performance:
    """Say that a log without predictions does not mean that there were none."""
    nothing = dict.fromkeys(("predictions", "errors", "profiled", "not_profiled", "throughput_rps"))
    return summarize([], window_s).model_copy(update={**nothing, "unknown": reason})


def _without_profiler(metrics: Metrics, key: str) -> float | None:
    """Return a duration as it would have been unprofiled; None when nobody knows by how much it is inflated.

    That is so of a prediction beside which another one was being profiled, too: profiling slows the whole process.
    """
    duration_ms, overhead_ms = cast(float | None, metrics[key]), cast(float | None, metrics["profiler_overhead_ms"])
    return None if duration_ms is None or overhead_ms is None else max(0.0, duration_ms - overhead_ms)


def _spread(values: Iterable[float | None]) -> Spread:
    samples = [value for value in values if value is not None]
    shown = {name: percentile_or_none(samples, q) if samples else None for name, q in _PERCENTILES.items()}
    return Spread(samples=len(samples), **shown)


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: defaultdict[str, int] = defaultdict(int)
    for name in names:
        counts[name] += 1
    return dict(counts)


def _top_functions(profiled: Iterable[Metrics]) -> list[CostlyFunction]:
    totals: dict[tuple[str, str, int], CostlyFunction] = {}
    for metrics in profiled:
        for entry in cast(list[dict[str, object]], metrics["top_functions"] or ()):
            found = CostlyFunction.model_validate({**entry, "predictions": 1})
            key = (found.function, found.file, found.line)
            if (sums := totals.get(key)) is None:
                totals[key] = found
                continue
            sums.predictions += 1
            sums.calls += found.calls
            sums.total_time_ms = round(sums.total_time_ms + found.total_time_ms, 6)
            sums.cumulative_time_ms = round(sums.cumulative_time_ms + found.cumulative_time_ms, 6)
    return sorted(totals.values(), key=lambda function: function.total_time_ms, reverse=True)[:_TOP]
