from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.statistics import effective_size


def autoregressive(count: int, correlation: float, seed: int) -> list[float]:
    source = random.Random(seed)
    values = [source.gauss(0, 1)]
    while len(values) < count:
        values.append(correlation * values[-1] + (1 - correlation**2) ** 0.5 * source.gauss(0, 1))
    return values


def test_independent_values_are_worth_about_their_number() -> None:
    sizes = [effective_size(autoregressive(2500, 0.0, seed)) for seed in range(40)]
    assert 2200 <= sum(sizes) / 40 <= 2500


def test_correlated_values_are_worth_what_theory_says() -> None:
    # The signs of an AR(1) series have the autocorrelation 2/pi asin(rho^k): at rho = 0.9 these sum to an
    # inflation of 13.3.
    sizes = [effective_size(autoregressive(10_000, 0.9, seed)) for seed in range(40)]
    assert sum(10_000 / size for size in sizes) / 40 == pytest.approx(13.3, rel=0.1)


def test_two_levels_of_speed_are_worth_hardly_more_than_two_values() -> None:
    assert effective_size([1.0] * 50 + [2.0] * 50) <= 12


def test_few_and_equal_values_are_taken_as_they_are() -> None:
    assert effective_size([1.0, 2.0, 3.0]) == 3
    assert effective_size([1.0] * 100) == 100


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_a_series_is_worth_at_least_one_and_at_most_all_of_its_values(values: list[float]) -> None:
    assert 1 <= effective_size(values) <= len(values)


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        effective_size([])
