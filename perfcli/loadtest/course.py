"""How a run went from its beginning to its end: what its seconds say of a queue that grows, and of pauses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perfcli.records.load import LoadResult, LoadSecond
from perfcli.records.load_second import SHORT_S
from perfcli.statistics import median

THIRDS = 3
BUSY_SECOND = 20
"""Requests: the number of fewer may halve by chance."""


def loaded_seconds(result: LoadResult) -> list[LoadSecond]:
    """Return the measured seconds in which requests were sent, without a last one that is cut short."""
    end_s = result.description.duration_s
    return [
        second
        for second in result.seconds
        if second.measured
        and second.scheduled != 0
        and second.elapsed_s >= SHORT_S
        and (end_s is None or second.start_s + second.elapsed_s / 2 < end_s)
    ]


def by_thirds(
    seconds: Sequence[LoadSecond], read: Callable[[LoadSecond], float | None]
) -> tuple[float, float, float] | None:
    """Return the median of a figure in each third of the seconds; None when one of them holds none."""
    ends = [len(seconds) * part // THIRDS for part in range(THIRDS + 1)]
    parts = [[read(second) for second in seconds[ends[part] : ends[part + 1]]] for part in range(THIRDS)]
    known = [[value for value in part if value is not None] for part in parts]
    if not all(known):
        return None
    first, second, third = map(median, known)
    return first, second, third


def answered_ratio(seconds: Sequence[LoadSecond]) -> float | None:
    """Return answers per arrival; None in a closed loop, or without arrivals."""
    due = sum(second.scheduled or 0 for second in seconds)
    return sum(second.requests for second in seconds) / due if due else None


def drain_s(result: LoadResult) -> float:
    """Return how long the run waited for answers after the last arrival; 0 in a closed loop."""
    waited_s = 0.0
    for second in reversed(result.seconds):
        if second.scheduled != 0:
            break
        waited_s += second.elapsed_s
    return waited_s


def quietest_second(seconds: Sequence[LoadSecond]) -> tuple[float, float] | None:
    """Return the fewest requests that ended in a second, per second, and the median of all; None with too few.

    Of seconds with all users at work, without the first, before whose answers there is none, and the last, in which
    the run may end.
    """
    most_users = max((second.users or 0 for second in seconds), default=0)
    rates = [second.requests / second.elapsed_s for second in seconds[1:-1] if (second.users or 0) == most_users]
    if len(rates) < THIRDS or median(rates) < BUSY_SECOND:
        return None
    return min(rates), median(rates)
