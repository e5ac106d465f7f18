"""Means of values that do not count alike."""

from __future__ import annotations

from collections.abc import Iterable


def weighted_mean_or_none(values: Iterable[tuple[float, float]]) -> float | None:
    """Return the mean of values with weights, such as ratios over unequal times; None without any weight."""
    pairs = list(values)
    weight = sum(each for _, each in pairs)
    return sum(value * each for value, each in pairs) / weight if weight else None
