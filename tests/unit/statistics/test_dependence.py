from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.statistics import design_effect, effective_size


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


def test_trials_that_come_out_alike_in_clusters_say_no_more_than_one_of_each() -> None:
    # Kish: of clusters of m trials that all come out alike, the effect is m, here times 10 / 9 for the sample variance.
    hits = [100 if number % 2 else 0 for number in range(10)]
    assert design_effect(hits, [100] * 10) == pytest.approx(100 * 10 / 9)


def test_clusters_that_are_like_their_neighbours_say_less() -> None:
    # Pauses of four clusters: alone they have the effect 100, and the weights 3/4, 2/4 and 1/4 of the three, two and
    # one pairs of neighbours in four clusters add (3/4 x 3 + 2/4 x 2 + 1/4 x 1) x 2 / 4 = 1.75 of that.
    pauses = [100 if number % 1000 < 4 else 0 for number in range(4000)]
    assert design_effect(pauses, [100] * 4000) == pytest.approx(100 * 2.75, rel=0.01)


def test_trials_that_do_not_depend_on_their_cluster_count_fully() -> None:
    source = random.Random(1)
    hits = [sum(source.random() < 0.3 for _ in range(100)) for _ in range(2000)]
    assert design_effect(hits, [100] * 2000) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("hits", "sizes"), [([0, 0], [5, 5]), ([5, 5], [5, 5]), ([2], [5]), ([], []), ([2, 0], [5, 0])]
)
def test_a_share_without_spread_has_no_design_effect(hits: list[int], sizes: list[int]) -> None:
    assert design_effect(hits, sizes) == 1.0
