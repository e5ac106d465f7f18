from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from perfcli.statistics import decide, samples_needed
from perfcli.statistics.early_stopping import at_least, at_most


@given(st.integers(1, 200_000), st.floats(0, 1), st.floats(0.0005, 0.9995))
def test_bound_agrees_with_the_binomial_distribution_of_scipy(throws: int, share: float, chance: float) -> None:
    hits = round(throws * share)
    assert at_most(throws, hits, chance) == pytest.approx(binom.cdf(hits, throws, chance), rel=1e-6, abs=1e-9)
    assert at_least(throws, hits, chance) == pytest.approx(binom.sf(hits - 1, throws, chance), rel=1e-6, abs=1e-9)


@given(st.integers(1, 100_000), st.integers(-60, 60), st.floats(0.001, 0.3))
def test_bound_agrees_with_scipy_where_the_decision_falls(throws: int, offset: int, chance: float) -> None:
    hits = min(throws, max(0, round(throws * chance) + offset))
    assert at_most(throws, hits, chance) == pytest.approx(binom.cdf(hits, throws, chance), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("quantile", [0.95, 0.99, 0.999])
def test_without_a_violation_it_takes_the_samples_of_the_percentile(quantile: float) -> None:
    needed = samples_needed(quantile)
    assert decide(needed, 0, 1 - quantile) == "holds"
    assert decide(needed - 1, 0, 1 - quantile) is None


@pytest.mark.parametrize("violations", [1, 3, 20])
def test_one_request_fewer_than_needed_proves_nothing(violations: int) -> None:
    needed = next(count for count in range(459, 10_000) if binom.cdf(violations, count, 0.01) <= 0.01)
    assert decide(needed, violations, 0.01) == "holds"
    assert decide(needed - 1, violations, 0.01) is None


def test_many_violations_prove_that_the_bound_fails() -> None:
    assert decide(100, 6, 0.01) == "fails"
    assert decide(100, 3, 0.01) is None
    assert binom.sf(5, 100, 0.01) <= 0.01 < binom.sf(2, 100, 0.01)


def test_no_requests_prove_nothing() -> None:
    assert decide(0, 0, 0.01) is None


@pytest.mark.parametrize(
    ("requests", "violations", "allowed", "confidence"),
    [(1, 2, 0.1, 0.9), (1, -1, 0.1, 0.9), (1, 0, 0.0, 0.9), (1, 0, 1.0, 0.9), (1, 0, 0.1, 1.0)],
)
def test_contradicting_counts_and_ratios_out_of_range_are_refused(
    requests: int, violations: int, allowed: float, confidence: float
) -> None:
    with pytest.raises(ValueError, match=r"violations in|ratio between"):
        decide(requests, violations, allowed, confidence)
