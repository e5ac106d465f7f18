"""Bootstrap intervals of a ratio or a difference: how far apart two sets of measurements really are.

All of them are percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13), and the same
seed gives the same interval.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from perfcli.statistics.percentiles import in_order, nearest_rank, percentile

RESAMPLES = 4000


def percentile_ratio_interval(
    base: Sequence[float],
    new: Sequence[float],
    q: float = 0.5,
    confidence: float = 0.95,
    sizes: tuple[int, int] | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the interval of percentile `q` of `new` divided by that of `base`, all of them positive.

    Args:
        base: The values divided by.
        new: The values divided.
        q: From 0 to 1.
        confidence: Share of repetitions in which the interval holds the true ratio.
        sizes: How many independent values `base` and `new` are worth; None when all of them are independent.
        seed: Of the random numbers.

    Raises:
        ValueError: No values, one that is NaN or not positive, or `confidence` or `q` is out of range.
    """
    if min(base, default=0) <= 0 or min(new, default=0) <= 0:
        raise ValueError("a ratio of percentiles needs positive values")
    source = random.Random(seed)
    base_size, new_size = sizes or (len(base), len(new))
    tops = resampled_percentiles(new, q, source, new_size)
    bottoms = resampled_percentiles(base, q, source, base_size)
    return equal_tails([top / bottom for top, bottom in zip(tops, bottoms, strict=True)], confidence)


def median_difference_interval(
    base: Sequence[float], new: Sequence[float], confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Return the interval of the median of `new` minus that of `base`.

    Raises:
        ValueError: No values, one that is NaN, or `confidence` is out of range.
    """
    source = random.Random(seed)
    tops = resampled_percentiles(new, 0.5, source)
    bottoms = resampled_percentiles(base, 0.5, source)
    return equal_tails([top - bottom for top, bottom in zip(tops, bottoms, strict=True)], confidence)


def mean_difference_interval(
    base: Sequence[float], new: Sequence[float], confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Return the interval of the mean of `new` minus that of `base`.

    Raises:
        ValueError: No values, one that is NaN, or `confidence` is out of range.
    """
    import numpy as np

    source = np.random.default_rng(seed)

    def means(values: Sequence[float]) -> list[float]:
        array = np.array(in_order(values))
        return [float(source.choice(array, array.size).mean()) for _ in range(RESAMPLES)]

    return equal_tails([top - bottom for top, bottom in zip(means(new), means(base), strict=True)], confidence)


def resampled_percentiles(
    values: Sequence[float], q: float, source: random.Random, size: int | None = None
) -> list[float]:
    """Return the percentile `q`, by nearest rank, of many bootstrap samples, without drawing the samples.

    A bootstrap sample of n values is n uniform numbers, each looked up in the sorted values; its r-th smallest is
    therefore the value at the r-th smallest of n uniform numbers, which has a Beta(r, n + 1 - r) distribution. One
    Beta variate replaces n draws, exactly.

    Args:
        values: In any order.
        q: From 0 to 1.
        source: Of the random numbers.
        size: Size n of a bootstrap sample; None for as many as there are values.

    Raises:
        ValueError: No values, one that is NaN, or `q` is out of range.
    """
    ordered = in_order(values)
    count = len(ordered)
    size = size or count
    rank = nearest_rank(size, q)
    positions = (source.betavariate(rank, size + 1 - rank) for _ in range(RESAMPLES))
    return [ordered[min(count - 1, math.floor(count * position))] for position in positions]


def equal_tails(estimates: Sequence[float], confidence: float) -> tuple[float, float]:
    """Return the interval that leaves out the same share of the estimates below and above.

    Raises:
        ValueError: No estimates, one is NaN, or `confidence` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    tail = (1 - confidence) / 2
    return percentile(estimates, tail), percentile(estimates, 1 - tail)
