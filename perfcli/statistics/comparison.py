"""Whether two sets of measurements differ: the rank test, its correction, and what an interval of a ratio says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from perfcli.records.comparison import Change
from perfcli.statistics.early_stopping import at_most
from perfcli.statistics.percentiles import in_order


def mann_whitney(base: Sequence[float], new: Sequence[float]) -> float:
    """Return the two-sided p-value of the Mann-Whitney U test.

    The normal approximation with correction for ties and for continuity, which is `method="asymptotic"` in scipy:
    Conover, Practical Nonparametric Statistics, 3rd edition, section 5.1. It asks whether one side tends to be
    larger, and assumes nothing about the distributions.

    Raises:
        ValueError: No values on one side, or one is NaN.
    """
    of_new = len(new)
    both = len(base) + of_new
    rank_sum = 0.0
    tied = 0
    position = 0
    pooled = in_order([*in_order(base), *in_order(new)])
    new_counts = Counter(new)
    for value, run in groupby(pooled):
        size = sum(1 for _ in run)
        rank_sum += new_counts[value] * (position + (size + 1) / 2)
        tied += size**3 - size
        position += size
    statistic = rank_sum - of_new * (of_new + 1) / 2
    mean = of_new * len(base) / 2
    variance = mean / 6 * (both + 1 - tied / (both * (both - 1)))
    if variance <= 0:
        return 1.0
    z = (abs(statistic - mean) - 0.5) / math.sqrt(variance)
    return min(1.0, math.erfc(z / math.sqrt(2)))


def compare_shares(base: float, base_size: float, new: float, new_size: float) -> float:
    """Return the two-sided p-value of two shares being equal: the z-test with the pooled share.

    Of the samples beyond a percentile of both sides together, this asks whether that tail became heavier, which
    the rank test, looking at all samples, does not see (for the median it is Mood's median test).

    Args:
        base: Share from 0 to 1 on one side.
        base_size: Samples on that side; positive.
        new: Share on the other side.
        new_size: Samples there; positive.

    Raises:
        ValueError: A share is not from 0 to 1, or a size is not positive.
    """
    if not (0 <= base <= 1 and 0 <= new <= 1 and base_size > 0 and new_size > 0):
        raise ValueError(f"no shares: {base} of {base_size} and {new} of {new_size}")
    pooled = (base * base_size + new * new_size) / (base_size + new_size)
    variance = pooled * (1 - pooled) * (1 / base_size + 1 / new_size)
    return math.erfc(abs(new - base) / math.sqrt(2 * variance)) if variance > 0 else 1.0


def sign_test(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of the median difference of pairs being 0: exact, zeros left out.

    Conover, Practical Nonparametric Statistics, 3rd edition, section 3.4. Of pairs in a random order it asks
    nothing but that: the two of a pair may share any noise.

    Raises:
        ValueError: One is NaN.
    """
    if any(map(math.isnan, differences)):
        raise ValueError("the sign of a difference that is NaN")
    positive = sum(difference > 0 for difference in differences)
    negative = sum(difference < 0 for difference in differences)
    return min(1.0, 2 * at_most(positive + negative, min(positive, negative), 0.5))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for there being several of them: Holm (1979), in the order given.

    With m of them, the smallest is multiplied by m, the next by m - 1, and none falls below the one before it; so the
    chance of a single false alarm among all stays what it would be for one.

    Raises:
        ValueError: One is not from 0 to 1.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError("a p-value lies from 0 to 1")
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for done, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, p_values[position] * (len(p_values) - done)))
        corrected[position] = largest
    return corrected


def judge_ratio(interval: tuple[float, float], min_effect: float) -> Change:
    """Say what the interval of a ratio of durations, new over base, proves.

    `slower` and `faster` when the whole interval is beyond the smallest effect that matters, `same` when the
    whole interval is within it, `inconclusive` when it reaches over the border. The border is the same distance
    on both sides: `1 + min_effect` and its reciprocal.

    Raises:
        ValueError: The interval is not positive or the wrong way round, or `min_effect` is not positive.
    """
    low, high = interval
    if not 0 < low <= high or not min_effect > 0:
        raise ValueError(f"no ratio can be judged by the interval {low} to {high} and the effect {min_effect}")
    border = 1 + min_effect
    if low > border:
        return "slower"
    if high < 1 / border:
        return "faster"
    return "same" if 1 / border <= low and high <= border else "inconclusive"


def further_runs(
    ratio: float, interval: tuple[float, float], min_effect: float, runs: int, widening: float = 1.0
) -> int | None:
    """Estimate how many further runs on each side would settle an inconclusive comparison.

    The width of the interval shrinks with the square root of the runs, and must become smaller than the distance
    of the ratio to the nearer border. None when the ratio is so near that more than a hundred times the runs
    would be needed, or nearer than the widening, which no number of runs makes smaller.

    Args:
        ratio: New over base.
        interval: Of the ratio, widened.
        min_effect: Smallest change that matters.
        runs: On each side, so far.
        widening: Ratio of at least 1 by which the interval was widened at either end, for the drift of the machine.

    Raises:
        ValueError: The ratio or the interval is not positive, there are no runs, or the widening is below 1.
    """
    if not ratio > 0 or not interval[0] > 0 or runs < 1 or widening < 1:
        raise ValueError("no estimate from a ratio that is not positive, or from no runs")
    fixed = math.log(widening)
    distance = abs(abs(math.log(ratio)) - math.log1p(min_effect)) - fixed
    half_width = max(math.log(interval[1] / ratio), math.log(ratio / interval[0])) - fixed
    if distance <= 0 or half_width > 10 * distance:
        return None
    return max(1, math.ceil(runs * (half_width / distance) ** 2) - runs)
