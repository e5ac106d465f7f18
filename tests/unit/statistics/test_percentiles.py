from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.statistics import mean_of_medians, median, percentile, percentile_or_none, samples_needed

FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=60)
# Sixty-fourths are exact in floating point, so that numpy's own rounding of q * n cannot differ from ours.
EXACT_Q = st.integers(0, 64).map(lambda n: n / 64)


@given(FINITE, EXACT_Q)
def test_percentile_agrees_with_the_inverted_cdf_of_numpy(values: list[float], q: float) -> None:
    assert percentile(values, q) == np.percentile(values, q * 100, method="inverted_cdf")


@given(FINITE)
def test_median_agrees_with_numpy(values: list[float]) -> None:
    assert median(values) == pytest.approx(float(np.median(np.array(values, dtype=float))), rel=1e-12)


@given(st.integers(1, 5000), st.integers(1, 1000))
def test_percentile_keeps_its_definition_for_every_written_number(count: int, thousandths: int) -> None:
    value = percentile(range(1, count + 1), thousandths / 1000)
    q = Fraction(thousandths, 1000)
    assert Fraction(int(value), count) >= q > Fraction(int(value) - 1, count)


@given(FINITE, st.floats(0, 1), st.floats(0, 1))
def test_percentiles_are_measured_values_and_rise_with_q(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert percentile(values, low) in values
    assert percentile(values, low) <= percentile(values, high)


def test_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    assert median([4.0, 1.0, 3.0, 2.0]) == 2.5


def test_percentile_of_0_is_the_minimum_and_of_1_the_maximum() -> None:
    assert (percentile([3.0, 1.0, 2.0], 0), percentile([3.0, 1.0, 2.0], 1)) == (1.0, 3.0)


@pytest.mark.parametrize(("q", "needed"), [(0.0, 1), (0.5, 7), (0.95, 90), (0.99, 459), (0.999, 4603)])
def test_samples_needed_are_those_of_loadgen(q: float, needed: int) -> None:
    assert samples_needed(q) == needed


@given(st.floats(0.01, 0.9999), st.floats(0.5, 0.999))
def test_samples_needed_is_the_smallest_number_that_keeps_the_confidence(q: float, confidence: float) -> None:
    needed = samples_needed(q, confidence)
    assert q**needed <= (1 - confidence) * (1 + 1e-9)
    assert q ** (needed - 1) >= (1 - confidence) * (1 - 1e-9) or needed == 1


def test_percentile_is_none_below_the_samples_it_needs() -> None:
    assert percentile_or_none(range(89), 0.95) is None
    assert percentile_or_none(range(90), 0.95) == 85


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_no_values_and_nan_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="statistics of"):
        median(values)
    with pytest.raises(ValueError, match="statistics of"):
        percentile(values, 0.5)


@pytest.mark.parametrize("q", [-0.1, 1.1, 99, math.nan])
def test_a_percentile_that_is_no_ratio_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="lies from 0 to 1"):
        percentile([1.0], q)


@pytest.mark.parametrize(("q", "confidence"), [(1.0, 0.99), (-0.5, 0.99), (0.5, 1.0), (0.5, 0.0)])
def test_samples_needed_refuses_what_no_number_gives(q: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="no number of samples"):
        samples_needed(q, confidence)


def test_things_measured_in_turn_count_by_their_medians():
    assert mean_of_medians([1, 10, 3, 30, 2, 20], 2) == 11
    assert mean_of_medians([1, 10, 3, 30], 1) == median([1, 10, 3, 30])
    assert mean_of_medians([1, 10, 100], 5) == 37
    with pytest.raises(ValueError, match="statistics of"):
        mean_of_medians([], 2)
