"""Whether a series of measurements has settled: the end of warm-up, a steady load, the drift of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from perfcli.statistics.percentiles import median


def is_stable(values: Sequence[float], window: int = 5, tolerance: float = 0.05) -> bool:
    """Tell whether the running median has stopped moving, which ends a warm-up.

    The median of the last `window` values and that of the `window` values before them differ by at most
    `tolerance` of the smaller one. Medians, so that one preempted call does not prolong the warm-up.

    Args:
        values: Durations in the order they were measured; fewer than two windows are not stable.
        window: Values in one window; positive.
        tolerance: A ratio.

    Raises:
        ValueError: `window` is not positive, `tolerance` is negative, or a value is NaN.
    """
    _check(window, tolerance)
    if len(values) < 2 * window:
        return False
    medians = [median(values[-2 * window : -window]), median(values[-window:])]
    return max(medians) <= min(medians) * (1 + tolerance)


def is_steady(values: Sequence[float], windows: int = 3, tolerance: float = 0.1) -> bool:
    """Tell whether the last windows of a load agree with each other.

    The rule of Triton's perf_analyzer (`IsInferWindowStable`): the largest of the last three values is at most
    10 % above the smallest. It must hold for the throughput and for the latency.

    Args:
        values: One figure per window of time, such as its throughput, in order; fewer than `windows` are not steady.
        windows: How many of the last ones must agree; positive.
        tolerance: A ratio.

    Raises:
        ValueError: `windows` is not positive, or `tolerance` is negative.
    """
    _check(windows, tolerance)
    last = values[-windows:]
    return len(last) == windows and max(last) <= min(last) * (1 + tolerance)


def drift(values: Sequence[float], parts: int = 5) -> float:
    """Return how far the median of a part of a series lies from the median of all of it, as a ratio of at least 1.

    The farthest of the parts, cut from the series in the order it was measured. A machine that was this much
    slower for a part of one run may have been so for the whole of another.

    Args:
        values: Positive durations in the order they were measured.
        parts: Into how many parts of the same length they are cut; fewer values are parts of their own.

    Raises:
        ValueError: No values, or one is NaN or not positive.
    """
    centre = median(values)
    if min(values) <= 0:
        raise ValueError("a drift of values of which one is not positive")
    parts = min(parts, len(values))
    bounds = [number * len(values) // parts for number in range(parts + 1)]
    medians = [median(values[start:end]) for start, end in pairwise(bounds)]
    return max(max(medians) / centre, centre / min(medians))


def _check(count: int, tolerance: float) -> None:
    if count < 1:
        raise ValueError(f"a window holds at least one value, not {count}")
    if not tolerance >= 0:
        raise ValueError(f"a tolerance is not negative, as {tolerance} is")
