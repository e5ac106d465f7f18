"""Measured values with how often each was seen: the samples of a profile and the histogram of a load, as one thing."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from perfcli.statistics.percentiles import in_order, nearest_rank


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values in order, with the number of samples up to and including each; made by `of` or `of_counts`.

    Attributes:
        values: Ascending.
        cumulative: Samples that do not exceed the value at the same position.
    """

    values: tuple[float, ...]
    cumulative: tuple[int, ...]

    @classmethod
    def of(cls, samples: Sequence[float]) -> Distribution:
        """Make it of single samples, in any order.

        Raises:
            ValueError: No samples, or one is NaN.
        """
        ordered = in_order(samples)
        return cls(tuple(ordered), tuple(range(1, len(ordered) + 1)))

    @classmethod
    def of_counts(cls, counts: Iterable[tuple[float, int]]) -> Distribution:
        """Make it of ascending values and how many samples each stands for, as a histogram gives them.

        Raises:
            ValueError: No samples, or the values do not ascend.
        """
        pairs = [(value, count) for value, count in counts if count]
        values = tuple(value for value, _ in pairs)
        if not values:
            raise ValueError("a distribution of no samples")
        if any(not below < above for below, above in pairwise(values)):
            raise ValueError("the values of a histogram ascend")
        return cls(values, tuple(accumulate(count for _, count in pairs)))

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.cumulative[-1]

    def percentile(self, q: float) -> float:
        """Return the percentile by nearest rank, as `perfcli.statistics.percentile` defines it.

        Raises:
            ValueError: `q` is outside 0 to 1.
        """
        return self._of_rank(nearest_rank(self.count, q))

    def at(self, position: float) -> float:
        """Return the sample at this share of the way through all of them in order; 0 is the first, below 1 the last."""
        return self._of_rank(min(self.count, math.floor(self.count * position) + 1))

    def count_within(self, limit: float) -> int:
        """Return how many samples do not exceed the limit."""
        position = bisect_right(self.values, limit)
        return self.cumulative[position - 1] if position else 0

    def _of_rank(self, rank: int) -> float:
        return self.values[bisect_right(self.cumulative, rank - 1)]
