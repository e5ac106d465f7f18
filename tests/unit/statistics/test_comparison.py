from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency, mannwhitneyu

from perfcli.statistics import compare_shares, further_runs, holm, judge_ratio, mann_whitney, sign_test

TIED = st.lists(st.integers(0, 12), min_size=1, max_size=40)
CONTINUOUS = st.lists(st.floats(0.001, 1000), min_size=1, max_size=40)


@given(st.one_of(st.tuples(TIED, TIED), st.tuples(CONTINUOUS, CONTINUOUS)))
def test_rank_test_agrees_with_scipy(sides: tuple[list[float], list[float]]) -> None:
    base, new = sides
    if len(set(base + new)) > 1:
        expected = mannwhitneyu(base, new, alternative="two-sided", method="asymptotic").pvalue
        assert mann_whitney(base, new) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_rank_test_of_equal_values_finds_no_difference() -> None:
    assert mann_whitney([1.0, 1.0], [1.0, 1.0, 1.0]) == 1.0


@pytest.mark.parametrize(("base", "new"), [([], [1.0]), ([1.0], []), ([1.0], [math.nan])])
def test_rank_test_refuses_no_values_and_nan(base: list[float], new: list[float]) -> None:
    with pytest.raises(ValueError, match="statistics of"):
        mann_whitney(base, new)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_shares_are_compared_as_the_contingency_table_of_scipy_does(a: int, b: int, c: int, d: int) -> None:
    expected = chi2_contingency([[a, b], [c, d]], correction=False).pvalue
    assert compare_shares(a / (a + b), a + b, c / (c + d), c + d) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_shares_of_all_or_nothing_do_not_differ() -> None:
    assert compare_shares(0.0, 10, 0.0, 20) == compare_shares(1.0, 10, 1.0, 20) == 1.0


@pytest.mark.parametrize("arguments", [(1.1, 10, 0.5, 10), (0.5, 0, 0.5, 10), (0.5, 10, -0.1, 10)])
def test_what_is_no_share_is_refused(arguments: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="no shares"):
        compare_shares(*arguments)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 5))
def test_sign_test_agrees_with_the_binomial_test_of_scipy(positive: int, negative: int, ties: int) -> None:
    expected = binomtest(positive, positive + negative, 0.5).pvalue if positive + negative else 1.0
    assert sign_test([0.1] * positive + [-0.2] * negative + [0.0] * ties) == pytest.approx(expected, rel=1e-6)


def test_sign_of_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        sign_test([1.0, math.nan])


def test_holm_corrects_the_example_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, then 0.04 raised to the one before it.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_lies_between_nothing_and_bonferroni(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1.0, p * len(p_values))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[position] for position in order] == sorted(corrected)


def test_holm_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="p-value"):
        holm([0.5, 1.5])


@pytest.mark.parametrize(
    ("interval", "change"),
    [
        ((1.06, 1.20), "slower"),
        ((1.05, 1.20), "inconclusive"),
        ((1.01, 1.04), "same"),
        ((1.0, 1.0), "same"),
        ((0.97, 1.06), "inconclusive"),
        ((0.953, 1.0), "same"),
        ((0.952, 1.0), "inconclusive"),
        ((0.80, 0.952), "faster"),
        ((0.80, 0.953), "inconclusive"),
        ((0.5, 2.0), "inconclusive"),
    ],
)
def test_interval_of_a_ratio_is_judged_by_the_smallest_effect(interval: tuple[float, float], change: str) -> None:
    assert judge_ratio(interval, 0.05) == change


@given(st.floats(0.1, 10), st.floats(1, 2), st.floats(0.001, 1))
def test_swapping_the_sides_swaps_slower_and_faster(low: float, width: float, effect: float) -> None:
    swapped = {"slower": "faster", "faster": "slower", "same": "same", "inconclusive": "inconclusive"}
    forwards = judge_ratio((low, low * width), effect)
    border = 1 + effect
    if min(abs(math.log(end * edge)) for end in (low, low * width) for edge in (border, 1 / border)) > 1e-9:
        assert judge_ratio((1 / (low * width), 1 / low), effect) == swapped[forwards]


@pytest.mark.parametrize(("interval", "effect"), [((0.0, 1.0), 0.05), ((2.0, 1.0), 0.05), ((1.0, 1.0), 0.0)])
def test_interval_that_makes_no_sense_is_refused(interval: tuple[float, float], effect: float) -> None:
    with pytest.raises(ValueError, match="no ratio can be judged"):
        judge_ratio(interval, effect)


def test_four_times_the_runs_halve_an_interval_twice_too_wide() -> None:
    half = 2 * math.log(1.05)
    assert further_runs(1.0, (math.exp(-half), math.exp(half)), 0.05, 100) == pytest.approx(300, abs=1)


def test_ratio_at_the_border_is_settled_by_no_number_of_runs() -> None:
    assert further_runs(1.05, (1.0, 1.10), 0.05, 100) is None


@pytest.mark.parametrize(("ratio", "low", "runs"), [(0.0, 0.5, 10), (1.0, 0.0, 10), (1.0, 0.5, 0)])
def test_estimate_of_runs_refuses_what_makes_no_sense(ratio: float, low: float, runs: int) -> None:
    with pytest.raises(ValueError, match="no estimate"):
        further_runs(ratio, (low, 2.0), 0.05, runs)


def test_further_runs_make_an_interval_narrower_and_the_drift_in_it_no_smaller() -> None:
    # 1.15 lies 9.1 % above the border. Of a half-width of 12 % the drift is 4 %; 8 % must become less than 5.1 %.
    ratio, border, drift = 1.15, 1.05, math.exp(0.04)
    interval = ratio / math.exp(0.12), ratio * math.exp(0.12)
    needed = 100 * (0.08 / (math.log(ratio / border) - 0.04)) ** 2
    assert further_runs(ratio, interval, 0.05, 100, drift) == math.ceil(needed) - 100
    assert further_runs(ratio, interval, 0.05, 100) == math.ceil(100 * (0.12 / math.log(ratio / border)) ** 2) - 100
    assert further_runs(ratio, interval, 0.05, 100, 1.1) is None
