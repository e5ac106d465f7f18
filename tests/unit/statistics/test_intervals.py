from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from perfcli.statistics import median_interval


def rank_by_scipy(count: int, confidence: float) -> int:
    """Largest r with P(Binomial(count, 1/2) <= r - 1) at most half of what the confidence leaves; 0 for none."""
    rank = int(binom.ppf((1 - confidence) / 2, count, 0.5))
    return rank + 1 if binom.cdf(rank, count, 0.5) <= (1 - confidence) / 2 else rank


@given(st.integers(1, 3000), st.sampled_from([0.55, 0.8, 0.9, 0.95, 0.99, 0.999]))
def test_interval_has_the_ranks_of_the_binomial_distribution(count: int, confidence: float) -> None:
    rank = rank_by_scipy(count, confidence)
    expected = (rank, count + 1 - rank) if rank else None
    assert median_interval(range(1, count + 1), confidence) == expected


@pytest.mark.parametrize("count", [50_000, 100_000, 99_999])
def test_interval_is_exact_for_many_values(count: int) -> None:
    rank = rank_by_scipy(count, 0.95)
    assert median_interval(range(1, count + 1)) == (rank, count + 1 - rank)


def test_interval_takes_six_values() -> None:
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert median_interval([6.0, 1.0, 2.0, 3.0, 4.0, 5.0]) == (1.0, 6.0)


def test_interval_covers_the_true_median_as_often_as_it_says() -> None:
    source = random.Random(11)
    covered = 0
    for _ in range(2000):
        interval = median_interval([source.expovariate(1.0) for _ in range(40)])
        assert interval is not None
        covered += interval[0] <= 0.6931471805599453 <= interval[1]
    # The exact coverage for n = 40 is 96.2 %; four standard errors are 1.7 points.
    assert 0.945 <= covered / 2000 <= 0.979


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        median_interval([1.0, 2.0], confidence)


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        median_interval([])
