"""Whether the numbers of a run describe the service, or the generator that asked it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from perfcli.loadtest.calibration import Calibration
from perfcli.loadtest.tally import Durations
from perfcli.records.load import GeneratorReport, LoadSecond
from perfcli.statistics import samples_needed
from perfcli.units import format_duration, format_ratio

BUSY_CORE = 0.9
LATE_S = 0.001
LATE_SHARE = 0.1


def judge_generator(
    seconds: Sequence[LoadSecond],
    latencies: Durations,
    lag: Durations,
    calibration: Calibration | None,
    *,
    processes: int,
) -> GeneratorReport:
    """Say whether the generator kept up.

    It did not when a process of it used up its core, or when requests were sent so late that the delay is a visible
    part of the latencies, which count from the intended start.

    Args:
        seconds: Of the whole run.
        latencies: Of the successes in the measured window.
        lag: Actual minus intended start of the requests of the measured window; empty in a closed loop.
        calibration: What the engine costs; None when not measured.
        processes: Number of generator processes.
    """
    cpu_ratio = weighted_mean(
        (each.generator_cpu_ratio, each.elapsed_s)
        for each in seconds
        if each.measured and each.generator_cpu_ratio is not None
    )
    reasons = tuple(_reasons(cpu_ratio, latencies, lag))
    return GeneratorReport(
        verdict="generator-bound" if reasons else "trustworthy",
        reasons=reasons,
        cpu_ratio=cpu_ratio,
        floor_s=None if calibration is None else calibration.floor_s,
        ceiling_rps=None if calibration is None else calibration.ceiling_rps,
        processes=processes,
    )


def _reasons(cpu_ratio: float | None, latencies: Durations, lag: Durations) -> Iterator[str]:
    if cpu_ratio is not None and cpu_ratio >= BUSY_CORE:
        yield f"a process of it used {format_ratio(cpu_ratio)} of its core"
    # The highest percentile that so many requests know: one late request of a hundred may be chance.
    known = [q for q in (0.99, 0.95, 0.9, 0.5) if min(lag.total, latencies.total) >= samples_needed(q)]
    if known:
        late_s, slow_s = lag.percentile_s(known[0]), latencies.percentile_s(known[0])
        if late_s > LATE_S and late_s > LATE_SHARE * slow_s:
            late, slow = format_duration(late_s), format_duration(slow_s)
            share = format_ratio(1 - known[0])
            yield f"{share} of the requests were sent more than {late} late, beside a p{known[0] * 100:g} of {slow}"


def weighted_mean(values: Iterable[tuple[float, float]]) -> float | None:
    """Return the mean of values with weights, such as ratios over unequal times; None without any weight."""
    pairs = list(values)
    weight = sum(each for _, each in pairs)
    return sum(value * each for value, each in pairs) / weight if weight else None
