from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from perfcli.statistics import modified_z_scores, outliers


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=40))
def test_scores_agree_with_the_median_absolute_deviation_of_scipy(values: list[int]) -> None:
    scale = median_abs_deviation(values, scale="normal")
    if scale:
        expected = (np.array(values) - np.median(values)) / scale
        assert modified_z_scores(values) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_mean_deviation_takes_over_when_most_values_are_equal() -> None:
    scores = modified_z_scores([1.0, 1.0, 1.0, 1.0, 11.0])
    assert scores == pytest.approx([0, 0, 0, 0, 10 / (2 * 1.2533141)], rel=1e-6)


def test_equal_values_have_no_outliers() -> None:
    assert modified_z_scores([2.0] * 5) == [0.0] * 5
    assert outliers([2.0] * 5) == []


def test_outliers_are_found_on_both_sides_by_position() -> None:
    values = [10.0, 10.1, 9.9, 50.0, 10.2, 9.8, 1.0]
    assert outliers(values) == [3, 6]
    assert outliers(values, threshold=40) == [3]


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        outliers([])
