"""Count values in equal parts of a range, and draw the counts in one line of a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from perfcli.reporters.sparkline import sparkline


def bins(values: Sequence[float], low: float, high: float, count: int) -> list[int]:
    """Count values in equal parts of the range from `low` to `high`, its upper end included."""
    counts = [0] * count
    for value in values:
        counts[min(count - 1, int((value - low) / (high - low) * count))] += 1
    return counts


def histogram_line(values: Sequence[float], width: int) -> str:
    """Draw how many values there are in each part of their range; a part without any is a space."""
    low, high = min(values), max(values)
    if low == high:
        return sparkline([len(values)])
    return sparkline([count or None for count in bins(values, low, high, width)])
