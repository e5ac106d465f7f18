from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from perfcli.statistics import Distribution, percentile_ratio_interval
from perfcli.statistics.bootstrap import resampled_percentiles

SOURCE = np.random.default_rng(5)
BASE = SOURCE.lognormal(0.0, 0.3, 301).tolist()
NEW = (SOURCE.lognormal(0.0, 0.3, 401) * 1.2).tolist()


def interval(base: list[float], new: list[float], **arguments: object) -> tuple[float, float]:
    return percentile_ratio_interval(Distribution.of(base), Distribution.of(new), **arguments)


def inverted_cdf(values: np.ndarray, q: float, axis: int) -> np.ndarray:
    return np.percentile(values, q * 100, method="inverted_cdf", axis=axis)


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_interval_agrees_with_the_bootstrap_of_scipy_to_monte_carlo_error(q: float) -> None:
    by_scipy = stats.bootstrap(
        (BASE, NEW),
        lambda base, new, axis: inverted_cdf(new, q, axis) / inverted_cdf(base, q, axis),
        method="percentile",
        n_resamples=20_000,
        rng=3,
        batch=500,
    ).confidence_interval
    allowed = (by_scipy.high - by_scipy.low) * 0.06
    assert interval(BASE, NEW, q=q) == pytest.approx((by_scipy.low, by_scipy.high), abs=allowed)


def test_beta_variates_replace_drawn_samples_exactly() -> None:
    values = list(range(1, 22))
    drawn = np.percentile(SOURCE.choice(values, (40_000, 21)), 50, method="inverted_cdf", axis=1)
    shortcut = np.array(resampled_percentiles(Distribution.of(values), 0.5, 21, random.Random(2)))
    for value in values:
        assert np.mean(shortcut <= value) == pytest.approx(float(np.mean(drawn <= value)), abs=0.04)


def test_interval_covers_the_true_ratio_as_often_as_it_says() -> None:
    source = random.Random(3)
    covered = 0
    for _ in range(300):
        base = [source.lognormvariate(0, 0.2) for _ in range(60)]
        new = [1.1 * source.lognormvariate(0, 0.2) for _ in range(60)]
        low, high = interval(base, new)
        covered += low <= 1.1 <= high
    # Four standard errors around 95 % are 5 points.
    assert covered >= 270


def test_samples_worth_a_quarter_double_the_width() -> None:
    values = SOURCE.lognormal(0.0, 0.1, 4000).tolist()
    whole = interval(values, values)
    quarter = interval(values, values, sizes=(1000, 1000))
    assert (quarter[1] - quarter[0]) / (whole[1] - whole[0]) == pytest.approx(2, rel=0.15)


def test_the_same_seed_gives_the_same_interval() -> None:
    assert interval(BASE, NEW, seed=4) == interval(BASE, NEW, seed=4) != interval(BASE, NEW, seed=5)


def test_equal_values_give_an_interval_of_no_width() -> None:
    assert interval([2.0] * 9, [3.0] * 9) == (1.5, 1.5)


@pytest.mark.parametrize(("base", "new"), [([0.0, 1.0], [1.0]), ([1.0], [-1.0])])
def test_a_ratio_without_positive_values_is_refused(base: list[float], new: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        interval(base, new)


def test_a_confidence_of_all_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        interval([1.0], [1.0], confidence=1.0)
