"""The confidence interval of a median, exact for any distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

from perfcli.statistics.percentiles import in_order


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the interval of the median between two of the values, or None when the values are too few.

    Each independent value lies below the true median with probability one half, whatever the distribution, so
    that the number of values below it is binomial: Conover, Practical Nonparametric Statistics, 3rd edition,
    section 3.2. At 95 % it takes six values.

    Raises:
        ValueError: No values, one is NaN, or `confidence` is not between 0 and 1.
    """
    ordered = in_order(values)
    rank = _lower_rank(len(ordered), confidence)
    return (ordered[rank - 1], ordered[-rank]) if rank else None


def _lower_rank(count: int, confidence: float) -> int:
    """Return the largest rank whose value is above the median with probability at most half of `1 - confidence`."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    tail = (1 - confidence) / 2
    below = (count - 1) // 2
    # By symmetry the sum over all that is below the centre is known, and the walk down from there takes about
    # sqrt(count) steps, where a sum from 0 would begin with numbers too small for floating point.
    at_most = 0.5 if count % 2 else (1 - _probability(count, count // 2)) / 2
    while below >= 0 and at_most > tail:
        at_most -= _probability(count, below)
        below -= 1
    return below + 1


def _probability(count: int, heads: int) -> float:
    """Return the probability of that many heads in `count` throws of a fair coin."""
    log = math.lgamma(count + 1) - math.lgamma(heads + 1) - math.lgamma(count - heads + 1) - count * math.log(2)
    return math.exp(log)
