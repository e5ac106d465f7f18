"""Where the warm-up of a load ends, and whether the load was steady from there on.

Three windows that agree within 10 % in throughput and in latency are steady: the rule of Triton's perf_analyzer. It
stops there; here the run goes on, so two things are asked beyond it. The three windows must also agree with the second
half of the run, or a server that is evenly slow while it is cold would count as warm. And the thirds of all that
follows must agree with each other, or the run as a whole was not steady.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfcli.statistics import is_steady, median

WINDOWS = 3
FEWEST_WINDOWS = 2 * WINDOWS
FEWEST_REQUESTS = 300
"""With fewer, chance alone moves the median of a third by more than 10 %."""


@dataclass(frozen=True, slots=True)
class Level:
    """Throughput and latency of one window of time.

    Attributes:
        throughput: Requests that ended, per second or per arrival.
        latency_s: Median of the successes; None without any.
        requests: Requests that ended.
    """

    throughput: float
    latency_s: float | None
    requests: int


@dataclass(frozen=True, slots=True)
class Steadiness:
    """What a run's windows say.

    Attributes:
        first: Index of the first measured window.
        stable: The thirds from there on agree; None when there is too little to tell.
    """

    first: int
    stable: bool | None


def find_steady(levels: Sequence[Level], earliest: int = 0) -> Steadiness:
    """Find the first steady window of a run.

    Args:
        levels: Of windows of equal length, in order.
        earliest: Windows before this one are warm-up in any case.
    """
    if len(levels) - earliest < FEWEST_WINDOWS or sum(level.requests for level in levels) < FEWEST_REQUESTS:
        return Steadiness(min(earliest, len(levels)), None)
    typical = _typical(levels[(len(levels) + earliest) // 2 :])
    last_start = (len(levels) + earliest) // 2
    for start in range(earliest, last_start + 1):
        if _agree([typical, *levels[start : start + WINDOWS]]):
            return Steadiness(start, is_uniform(levels[start:]))
    return Steadiness(earliest, stable=False)


def is_uniform(levels: Sequence[Level]) -> bool | None:
    """Tell whether the thirds of a window agree; None when there is too little to tell."""
    if len(levels) < WINDOWS or sum(level.requests for level in levels) < FEWEST_REQUESTS:
        return None
    ends = [len(levels) * part // WINDOWS for part in range(WINDOWS + 1)]
    return _agree([_average(levels[ends[part] : ends[part + 1]]) for part in range(WINDOWS)])


def _agree(levels: Sequence[Level]) -> bool:
    latencies = [level.latency_s for level in levels if level.latency_s is not None]
    return (
        len(latencies) == len(levels)
        and is_steady([level.throughput for level in levels], windows=len(levels))
        and is_steady(latencies, windows=len(levels))
    )


def _typical(levels: Sequence[Level]) -> Level:
    latencies = [level.latency_s for level in levels if level.latency_s is not None]
    return Level(
        throughput=median([level.throughput for level in levels]),
        latency_s=median(latencies) if latencies else None,
        requests=sum(level.requests for level in levels),
    )


def _average(levels: Sequence[Level]) -> Level:
    typical = _typical(levels)
    return Level(sum(level.throughput for level in levels) / len(levels), typical.latency_s, typical.requests)
