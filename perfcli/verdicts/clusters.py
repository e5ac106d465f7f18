"""How much less the requests of a load say than independent ones: a pause makes many slow, and an outage many fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from perfcli.records.latency_counts import class_width_ns
from perfcli.records.load import LoadResult
from perfcli.statistics import Distribution, design_effect

Seconds = tuple[Distribution, ...]
"""Latencies in nanoseconds of the successes of each second that has some, by the ends of their classes."""


def measured_latencies(run: LoadResult) -> Seconds:
    """Return the latencies of the measured seconds; none in records of before these were kept."""
    counts = [second.latency_counts for second in run.seconds if second.measured]
    return tuple(
        Distribution.of_counts((each.end_ns, each.samples) for each in found.classes())
        for found in counts
        if found is not None
    )


def slow_effect(runs: Sequence[Seconds], limits_s: Iterable[float]) -> float:
    """Return the design effect of the share of slow requests: that of the run where they cluster most.

    The run without a pause does not show that slow requests come together, and a limit lies somewhere in its class,
    so that the largest effect of both runs and both ends of the classes is taken.

    Args:
        runs: The measured seconds of each.
        limits_s: Latencies above which a request is slow.
    """
    borders_ns = {border_ns for limit_s in limits_s for border_ns in _class(round(limit_s * 1e9))}
    return max((_effect(seconds, border_ns) for seconds in runs for border_ns in borders_ns), default=1.0)


def failure_effect(run: LoadResult) -> float:
    """Return the design effect of the share of failures over the measured seconds."""
    seconds = [second for second in run.seconds if second.measured]
    return design_effect([second.failures for second in seconds], [second.requests for second in seconds])


def _effect(seconds: Seconds, border_ns: int) -> float:
    sizes = [second.count for second in seconds]
    return design_effect([second.count - second.count_within(border_ns) for second in seconds], sizes)


def _class(duration_ns: int) -> tuple[int, int]:
    """Return begin and end of the class the duration falls into."""
    width_ns = class_width_ns(duration_ns)
    start_ns = duration_ns - duration_ns % width_ns
    return start_ns, start_ns + width_ns
