from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from perfcli.statistics import mean_difference_interval, median_difference_interval, percentile_ratio_interval
from perfcli.statistics.bootstrap import resampled_percentiles

SOURCE = np.random.default_rng(5)
BASE = SOURCE.lognormal(0.0, 0.3, 301).tolist()
NEW = (SOURCE.lognormal(0.0, 0.3, 401) * 1.2).tolist()


def by_scipy(statistic: object) -> tuple[float, float]:
    result = stats.bootstrap((BASE, NEW), statistic, method="percentile", n_resamples=20_000, rng=3, batch=500)
    return result.confidence_interval.low, result.confidence_interval.high


def inverted_cdf(values: np.ndarray, q: float, axis: int) -> np.ndarray:
    return np.percentile(values, q * 100, method="inverted_cdf", axis=axis)


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_ratio_interval_agrees_with_scipy_to_monte_carlo_error(q: float) -> None:
    low, high = by_scipy(lambda base, new, axis: inverted_cdf(new, q, axis) / inverted_cdf(base, q, axis))
    assert percentile_ratio_interval(BASE, NEW, q) == pytest.approx((low, high), abs=(high - low) * 0.06)


def test_median_difference_interval_agrees_with_scipy_to_monte_carlo_error() -> None:
    low, high = by_scipy(lambda base, new, axis: inverted_cdf(new, 0.5, axis) - inverted_cdf(base, 0.5, axis))
    assert median_difference_interval(BASE, NEW) == pytest.approx((low, high), abs=(high - low) * 0.06)


def test_mean_difference_interval_agrees_with_scipy_to_monte_carlo_error() -> None:
    low, high = by_scipy(lambda base, new, axis: new.mean(axis=axis) - base.mean(axis=axis))
    assert mean_difference_interval(BASE, NEW) == pytest.approx((low, high), abs=(high - low) * 0.06)


def test_beta_variates_replace_drawn_samples_exactly() -> None:
    values = list(range(1, 22))
    drawn = np.percentile(SOURCE.choice(values, (40_000, 21)), 50, method="inverted_cdf", axis=1)
    shortcut = resampled_percentiles(values, 0.5, random.Random(2))
    for value in values:
        expected = float(np.mean(drawn <= value))
        assert np.mean(np.array(shortcut) <= value) == pytest.approx(expected, abs=0.04)


def test_the_same_seed_gives_the_same_interval() -> None:
    assert percentile_ratio_interval(BASE, NEW, seed=4) == percentile_ratio_interval(BASE, NEW, seed=4)
    assert mean_difference_interval(BASE, NEW, seed=4) == mean_difference_interval(BASE, NEW, seed=4)
    assert median_difference_interval(BASE, NEW, seed=4) != median_difference_interval(BASE, NEW, seed=5)


def test_equal_values_give_an_interval_of_no_width() -> None:
    assert percentile_ratio_interval([2.0] * 9, [3.0] * 9) == (1.5, 1.5)


@pytest.mark.parametrize(("base", "new"), [([], [1.0]), ([1.0], []), ([0.0, 1.0], [1.0]), ([1.0], [-1.0])])
def test_a_ratio_without_positive_values_is_refused(base: list[float], new: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        percentile_ratio_interval(base, new)


def test_differences_of_no_values_and_unknown_confidence_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean_difference_interval([], [1.0])
    with pytest.raises(ValueError, match="no values"):
        median_difference_interval([1.0], [])
    with pytest.raises(ValueError, match="confidence"):
        median_difference_interval([1.0], [1.0], confidence=1.0)
