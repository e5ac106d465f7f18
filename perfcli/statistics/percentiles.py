"""Median and percentiles, and how many samples a percentile needs before it means something."""

from __future__ import annotations

import math
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle values.

    Raises:
        ValueError: No values, or one is NaN.
    """
    ordered = in_order(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def mean_of_medians(values: Sequence[float], turns: int) -> float:
    """Return the mean over things measured in turn of the median of each; those that had no turn are left out.

    Args:
        values: Of the first, the second and so on, and then of the first again.
        turns: How many things there are; for one it is the median.

    Raises:
        ValueError: No values, or one is NaN.
    """
    medians = [median(values[turn::turns]) for turn in range(max(1, min(turns, len(values))))]
    return sum(medians) / len(medians)


def percentile(values: Sequence[float], q: float) -> float:
    """Return the smallest value that at least the share `q` of all values does not exceed.

    This is the nearest rank, definition 1 of Hyndman and Fan (1996), `inverted_cdf` in numpy: always a value that was
    measured, never one interpolated between a fast and a slow call.

    Args:
        values: In any order.
        q: From 0 to 1; 0 is the minimum.

    Raises:
        ValueError: No values, one is NaN, or `q` is outside 0 to 1.
    """
    ordered = in_order(values)
    return ordered[nearest_rank(len(ordered), q) - 1]


def percentile_or_none(values: Sequence[float], q: float, confidence: float = 0.99) -> float | None:
    """Return the percentile, or None when there are fewer values than `samples_needed`.

    Raises:
        ValueError: One of the values is NaN, or `q` or `confidence` is out of range.
    """
    return percentile(values, q) if len(values) >= samples_needed(q, confidence) else None


def nearest_rank(count: int, q: float) -> int:
    """Return the rank, from 1 to `count`, of the percentile `q` among `count` ordered values.

    Raises:
        ValueError: `count` is not positive, or `q` is outside 0 to 1.
    """
    if count < 1:
        raise ValueError("a percentile of no values")
    if not 0 <= q <= 1:
        raise ValueError(f"a percentile lies from 0 to 1, not at {q}")
    # 0.07 * 100 is 7.000000000000001 in floating point; its rank is 7 nevertheless.
    return max(1, math.ceil(round(q * count, 9)))


def samples_needed(q: float, confidence: float = 0.99) -> int:
    """Return how many samples it takes until at least one of them lies above the percentile `q`.

    With fewer, the chance that no sample at all came from the tail, `q ** n`, is above `1 - confidence`, and a
    "p99" is a maximum of ordinary calls. The bound is the one of MLPerf's loadgen with no violation seen: 90 for
    p95, 459 for p99, 4603 for p99.9.

    Raises:
        ValueError: `q` is not from 0 to below 1, or `confidence` not between 0 and 1.
    """
    if not 0 <= q < 1 or not 0 < confidence < 1:
        raise ValueError(f"no number of samples gives p{q * 100:g} with confidence {confidence}")
    return 1 if q == 0 else max(1, math.ceil(math.log1p(-confidence) / math.log(q)))


def in_order(values: Sequence[float]) -> list[float]:
    """Return the values sorted.

    Raises:
        ValueError: No values, or one is NaN, which has no place in an order.
    """
    if not values:
        raise ValueError("statistics of no values")
    if any(map(math.isnan, values)):
        raise ValueError("statistics of values of which one is NaN")
    return sorted(values)
