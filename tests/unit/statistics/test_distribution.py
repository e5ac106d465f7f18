from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.statistics import Distribution, percentile

SAMPLES = st.lists(st.integers(1, 30).map(float), min_size=1, max_size=60)


def counted(samples: list[float]) -> Distribution:
    return Distribution.of_counts((value, samples.count(value)) for value in sorted(set(samples)))


@given(SAMPLES, st.floats(0, 1))
def test_counts_and_single_samples_have_the_same_percentiles(samples: list[float], q: float) -> None:
    assert counted(samples).percentile(q) == Distribution.of(samples).percentile(q) == percentile(samples, q)


@given(SAMPLES, st.integers(0, 31))
def test_samples_within_a_limit_are_counted(samples: list[float], limit: int) -> None:
    expected = sum(sample <= limit for sample in samples)
    assert counted(samples).count_within(limit) == Distribution.of(samples).count_within(limit) == expected


@given(SAMPLES, st.floats(0, 1, exclude_max=True))
def test_position_leads_to_the_sample_at_that_share_of_the_way(samples: list[float], position: float) -> None:
    expected = sorted(samples)[math.floor(len(samples) * position)]
    assert counted(samples).at(position) == Distribution.of(samples).at(position) == expected


def test_position_of_one_is_the_last_sample() -> None:
    assert Distribution.of([1.0, 2.0, 3.0]).at(1.0) == 3.0


def test_empty_counts_are_left_out() -> None:
    assert Distribution.of_counts([(1.0, 0), (2.0, 3), (4.0, 0), (5.0, 1)]) == Distribution((2.0, 5.0), (3, 4))


@pytest.mark.parametrize(
    "counts", [[], [(1.0, 0)], [(2.0, 1), (1.0, 1)], [(1.0, 1), (1.0, 1)], [(math.nan, 1), (1.0, 1)]]
)
def test_counts_that_are_no_histogram_are_refused(counts: list[tuple[float, int]]) -> None:
    with pytest.raises(ValueError, match=r"no samples|ascend"):
        Distribution.of_counts(counts)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        Distribution.of([])
