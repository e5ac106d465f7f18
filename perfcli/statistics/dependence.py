"""How many independent values a series is worth, when a slow second makes all calls in it slow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul

from perfcli.statistics.percentiles import median

_NEIGHBOURS = 3
"""Clusters after one that may be alike."""


def effective_size(values: Sequence[float]) -> int:
    """Return the number of independent values that would fix the median as well as this series does.

    The variance of the mean of a correlated series is larger than that of independent values by a factor that the
    means of consecutive batches show (batch means: Law, Simulation Modeling and Analysis, 5th edition, section
    9.5.3). It is taken of the indicator "above the median", because the median is what these values are to fix,
    and because one huge value must not decide.

    Args:
        values: In the order they were measured; below nine they are taken as independent.

    Returns:
        From 1 to the number of values.

    Raises:
        ValueError: No values, or one is NaN.
    """
    centre = median(values)
    count = len(values)
    batches = math.isqrt(count)
    if batches < 3:
        return count
    above = [value > centre for value in values]
    batch = count // batches
    means = [sum(above[start : start + batch]) / batch for start in range(0, batches * batch, batch)]
    variance_of_one = _variance(above)
    if variance_of_one == 0:
        return count
    inflation = batch * _variance(means) * batches / (batches - 1) / variance_of_one
    return min(count, max(1, round(count / inflation))) if inflation > 1 else count


def design_effect(hits: Sequence[int], sizes: Sequence[int]) -> float:
    """Return how many times the variance of a share is that of independent trials, when trials come in clusters.

    The linearised variance of a ratio over the clusters, over that of the binomial distribution: Kish, Survey
    Sampling, section 8.2; Cochran, Sampling Techniques, 3rd edition, section 2.11. A service that is down for a second
    fails all requests of that second, which say no more than one of them. What lasts longer than a cluster makes
    neighbours alike: their covariances are added with the weights of Newey and West (Econometrica 55, 1987), and never
    make the effect smaller.

    Args:
        hits: Of each cluster, the trials that count; in order of time.
        sizes: Of each cluster, all its trials.

    Returns:
        At least 1; 1 for fewer than two clusters, and where all trials came out alike.

    Raises:
        ValueError: The two are not of the same length.
    """
    pairs = list(zip(hits, sizes, strict=True))
    total, clusters = sum(sizes), sum(size > 0 for size in sizes)
    share = sum(hits) / total if total else 0.0
    if clusters < 2 or not 0 < share < 1:
        return 1.0
    excess = [hit - share * size for hit, size in pairs]
    alike = sum((1 - lag / (_NEIGHBOURS + 1)) * _covariance(excess, lag) for lag in range(1, _NEIGHBOURS + 1))
    between = (_covariance(excess, 0) + 2 * max(0.0, alike)) * clusters / (clusters - 1)
    return max(1.0, between / (total * share * (1 - share)))


def _covariance(excess: Sequence[float], lag: int) -> float:
    """Return the sum of the products of the values that are so far apart."""
    return math.fsum(map(mul, excess, excess[lag:]))


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)
