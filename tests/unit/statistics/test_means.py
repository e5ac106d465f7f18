from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.statistics import weighted_mean_or_none


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(1e-3, 1e3)), min_size=1, max_size=50))
def test_weighted_mean_is_that_of_numpy(pairs: list[tuple[float, float]]) -> None:
    values, weights = zip(*pairs, strict=True)
    assert weighted_mean_or_none(iter(pairs)) == pytest.approx(np.average(values, weights=weights))


@pytest.mark.parametrize("pairs", [[], [(3.0, 0.0)]])
def test_without_any_weight_there_is_no_mean(pairs: list[tuple[float, float]]) -> None:
    assert weighted_mean_or_none(pairs) is None
