"""The drawings of a load run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from markupsafe import Markup

from perfcli.records.latency_counts import add_latencies
from perfcli.records.load import LoadResult, LoadSecond, Quantiles
from perfcli.reporters.html.heat_map import draw_heat_map
from perfcli.reporters.html.percentile_curve import draw_percentiles
from perfcli.reporters.html.svg import size_ticks
from perfcli.reporters.html.timeline import Line, Span, draw_timeline
from perfcli.reporters.second_groups import Group, group_seconds
from perfcli.statistics import weighted_mean_or_none
from perfcli.statistics.histograms import decode_histogram
from perfcli.units import format_duration, format_rate, format_size

MOST_SPANS = 120


def load_drawings(result: LoadResult) -> dict[str, Any]:
    """Return the drawings by name, one that has nothing to show is missing.

    Beside them `span_s`, the seconds of one point, and `last_s`, the length of the last, which is cut short or waits
    for the last answers.
    """
    drawings: dict[str, Any] = {"span_s": 1, "last_s": 1.0}
    groups = group_seconds(result.seconds, MOST_SPANS)
    if groups:
        span_s, last_s = -(-len(result.seconds) // MOST_SPANS), sum(second.elapsed_s for second in groups[-1])
        drawings |= {"span_s": span_s, "last_s": last_s, **_course(groups)}
    histogram = _histogram(result.total.histogram)
    if histogram:
        marks = _levels(result.total.service) if result.loop == "open" else []
        drawings["percentiles"] = draw_percentiles(histogram, marks)
    return drawings


def _course(groups: Sequence[Group]) -> dict[str, Markup]:
    spans = [Span(group[0].start_s, group[-1].start_s + group[-1].elapsed_s, group[0].measured) for group in groups]
    latency = [
        _worst("p50", groups, lambda second: second.latency.p50_s),
        _worst("p90", groups, lambda second: second.latency.p90_s),
        _worst("p99", groups, lambda second: second.latency.p99_s),
        _worst("max", groups, lambda second: second.latency.max_s),
    ]
    rates = [
        _per_second("requests ended", groups, lambda second: second.requests),
        _per_second("failures", groups, lambda second: second.failures),
    ]
    if any(second.scheduled is not None for group in groups for second in group):
        rates.append(_per_second("arrivals due", groups, lambda second: second.scheduled or 0))
    processors = [
        _mean("server CPU", groups, lambda second: second.server_cpu_ratio),
        _mean("busiest generator process", groups, lambda second: second.generator_cpu_ratio),
    ]
    memory = [
        _worst("server memory", groups, lambda second: second.server_rss_bytes),
        _worst("generator memory", groups, lambda second: second.generator_rss_bytes),
    ]
    drawings: dict[str, Markup] = {}
    distributions = [
        add_latencies(second.latency_counts for second in group if second.latency_counts is not None)
        for group in groups
    ]
    if any(distributions):
        drawings["heat"] = draw_heat_map(spans, distributions, _known(latency))
    elif known := _known(latency):
        drawings["latency"] = draw_timeline(spans, known, format_duration, logarithmic=True)
    drawings["throughput"] = draw_timeline(spans, rates, format_rate)
    if known := _known(processors):
        drawings["processors"] = draw_timeline(spans, known, lambda cores: f"{cores:.2g} cores")
    if known := _known(memory):
        drawings["memory"] = draw_timeline(spans, known, format_size, place=size_ticks)
    return drawings


def _worst(name: str, groups: Iterable[Group], read: Callable[[LoadSecond], float | None]) -> Line:
    """Take the largest of each group, so that no peak is lost."""
    return Line(
        name,
        [max((value for second in group if (value := read(second)) is not None), default=None) for group in groups],
    )


def _mean(name: str, groups: Iterable[Group], read: Callable[[LoadSecond], float | None]) -> Line:
    """Weigh each second by its length."""
    known = ([(value, second.elapsed_s) for second in group if (value := read(second)) is not None] for group in groups)
    return Line(name, [weighted_mean_or_none(each) for each in known])


def _per_second(name: str, groups: Iterable[Group], read: Callable[[LoadSecond], float]) -> Line:
    return Line(
        name, [sum(map(read, group)) / max(1e-9, sum(second.elapsed_s for second in group)) for group in groups]
    )


def _known(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if any(value is not None for value in line.values)]


def _histogram(encoded: str) -> list[tuple[float, int]]:
    """Decode a histogram; nothing where the extra that can decode it is not installed."""
    try:
        return decode_histogram(encoded) if encoded else []
    except ImportError:
        return []


def _levels(quantiles: Quantiles) -> list[tuple[float, float]]:
    levels = (
        (0.5, quantiles.p50_s),
        (0.9, quantiles.p90_s),
        (0.95, quantiles.p95_s),
        (0.99, quantiles.p99_s),
        (0.999, quantiles.p99_9_s),
    )
    return [(level, seconds) for level, seconds in levels if seconds is not None]
