"""Whether the numbers of a run describe the service, or the generator that asked it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from perfcli.loadtest.calibration import Calibration
from perfcli.loadtest.tally import Durations
from perfcli.records.load import GeneratorReport, LoadDescription, LoadSecond
from perfcli.records.load_second import SHORT_S
from perfcli.statistics import samples_needed, weighted_mean_or_none
from perfcli.units import format_duration, format_rate, format_ratio

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
    due_rps: float | None,
    dropped: int,
) -> GeneratorReport:
    """Say whether the generator kept up.

    It did not when a process of it used up its core, when more was due than it can make and was not all sent in time,
    or when requests were sent so late that the delay is a visible part of the latencies, which count from the intended
    start. Arrivals that it could have made, and that were dropped because too many were unanswered, are the server's.

    Args:
        seconds: Of the whole run.
        latencies: Of the successes in the measured window.
        lag: Actual minus intended start of the requests of the measured window; empty in a closed loop.
        calibration: What the engine costs; None when not measured.
        processes: Number of generator processes.
        due_rps: Arrivals per second it was asked for; None in a closed loop.
        dropped: Arrivals that were never sent.
    """
    cpu_ratio = weighted_mean_or_none(
        (each.generator_cpu_ratio, each.elapsed_s)
        for each in seconds
        if each.measured and each.generator_cpu_ratio is not None
    )
    reasons = [*_reasons(cpu_ratio, latencies, lag)]
    # A ceiling that this very run went beyond was none.
    kept_up = not dropped and _is_on_time(lag)
    if calibration is not None and due_rps is not None and not kept_up:
        most_rps = calibration.ceiling_rps * processes
        if due_rps > most_rps:
            reasons.append(f"{format_rate(due_rps)} were due, and it makes at most {format_rate(most_rps)}")
    return GeneratorReport(
        verdict="generator-bound" if reasons else "trustworthy",
        reasons=tuple(reasons),
        cpu_ratio=cpu_ratio,
        floor_s=None if calibration is None else calibration.floor_s,
        ceiling_rps=None if calibration is None else calibration.ceiling_rps,
        processes=processes,
    )


def highest_due_rps(description: LoadDescription, seconds: Iterable[LoadSecond]) -> float | None:
    """Return the arrivals per second that were asked for, of a shape the most in a second; None in a closed loop."""
    if description.arrivals is None or description.rate_rps is not None:
        return description.rate_rps
    whole = [second for second in seconds if second.measured and second.elapsed_s >= SHORT_S]
    return max(((second.scheduled or 0) / second.elapsed_s for second in whole), default=None)


def _reasons(cpu_ratio: float | None, latencies: Durations, lag: Durations) -> Iterator[str]:
    if cpu_ratio is not None and cpu_ratio >= BUSY_CORE:
        yield f"a process of it used {format_ratio(cpu_ratio)} of its core"
    q = _highest_known(min(lag.total, latencies.total))
    if q is not None:
        late_s, slow_s = lag.percentile_s(q), latencies.percentile_s(q)
        if late_s > LATE_S and late_s > LATE_SHARE * slow_s:
            late, slow = format_duration(late_s), format_duration(slow_s)
            share = format_ratio(1 - q)
            yield f"{share} of the requests were sent more than {late} late, beside a p{q * 100:g} of {slow}"


def _is_on_time(lag: Durations) -> bool:
    q = _highest_known(lag.total)
    return q is None or lag.percentile_s(q) <= LATE_S


def _highest_known(requests: int) -> float | None:
    """Return the highest percentile that so many requests know: one late request of a hundred may be chance."""
    return next((q for q in (0.99, 0.95, 0.9, 0.5) if requests >= samples_needed(q)), None)
