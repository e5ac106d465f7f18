"""The bootstrap interval of a ratio: how far apart two sets of measurements really are.

It is a percentile interval (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13), and the same seed
gives the same interval.
"""

from __future__ import annotations

import random

from perfcli.statistics.distribution import Distribution
from perfcli.statistics.percentiles import nearest_rank, percentile

RESAMPLES = 4000


def percentile_ratio_interval(
    base: Distribution,
    new: Distribution,
    q: float = 0.5,
    confidence: float = 0.95,
    sizes: tuple[int, int] | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the interval of percentile `q` of `new` divided by that of `base`, all values positive.

    Args:
        base: What is divided by.
        new: What is divided.
        q: From 0 to 1.
        confidence: Share of repetitions in which the interval holds the true ratio.
        sizes: How many independent samples `base` and `new` are worth; None when all of them are independent.
        seed: Of the random numbers.

    Raises:
        ValueError: A value is not positive, or `confidence` or `q` is out of range.
    """
    if min(base.values[0], new.values[0]) <= 0:
        raise ValueError("a ratio of percentiles needs positive values")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    source = random.Random(seed)
    base_size, new_size = sizes or (base.count, new.count)
    tops = resampled_percentiles(new, q, new_size, source)
    bottoms = resampled_percentiles(base, q, base_size, source)
    ratios = [top / bottom for top, bottom in zip(tops, bottoms, strict=True)]
    tail = (1 - confidence) / 2
    return percentile(ratios, tail), percentile(ratios, 1 - tail)


def resampled_percentiles(distribution: Distribution, q: float, size: int, source: random.Random) -> list[float]:
    """Return the percentile `q`, by nearest rank, of many bootstrap samples, without drawing the samples.

    A bootstrap sample of n values is n uniform numbers, each looked up in the distribution; its r-th smallest is
    therefore the value at the r-th smallest of n uniform numbers, which has a Beta(r, n + 1 - r) distribution. One
    Beta variate replaces n draws, exactly, so that a million requests cost no more than a hundred.

    Raises:
        ValueError: `q` is out of range, or `size` is not positive.
    """
    rank = nearest_rank(size, q)
    return [distribution.at(source.betavariate(rank, size + 1 - rank)) for _ in range(RESAMPLES)]
