"""Both sides of a comparison counted in the same classes, so that they can be drawn over each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from perfcli.records import ProfileResult
from perfcli.records.comparison import BothDistributions, Turn
from perfcli.records.load import LoadResult
from perfcli.statistics import Distribution
from perfcli.verdicts.measuring import latencies

CLASSES = 60
SHOWN = 0.99
"""Of the slower side: the slowest calls would leave no room for all others."""


def both_distributions(
    base: ProfileResult | LoadResult, new: ProfileResult | LoadResult, turns: Sequence[Turn]
) -> BothDistributions:
    """Count what is compared: the turns when there are any, else the samples of the two results.

    Raises:
        MissingExtraError: The package that reads the histogram of a load is not installed.
    """
    if turns:
        before = Distribution.of([seconds for turn in turns for seconds in turn.base_s])
        after = Distribution.of([seconds for turn in turns for seconds in turn.new_s])
    else:
        before, after = map(_distribution, (base, new))
    low_s = min(before.values[0], after.values[0])
    high_s = max(before.percentile(SHOWN), after.percentile(SHOWN), low_s * 1.01 + 1e-9)
    return BothDistributions(low_s, high_s, *(_counts(side, low_s, high_s) for side in (before, after)))


def _distribution(run: ProfileResult | LoadResult) -> Distribution:
    return latencies(run.total) if isinstance(run, LoadResult) else Distribution.of(run.samples_s)


def _counts(side: Distribution, low_s: float, high_s: float) -> tuple[int, ...]:
    """Count up to and including the end of each class; the first has its begin as well."""
    ends = [low_s + (high_s - low_s) * number / CLASSES for number in range(1, CLASSES)]
    within = [0, *(side.count_within(end) for end in (*ends, high_s))]
    return tuple(above - below for below, above in pairwise(within))
