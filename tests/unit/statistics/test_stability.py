from __future__ import annotations

import math

import pytest

from perfcli.statistics import drift, is_stable, is_steady


def test_median_that_still_falls_is_not_stable() -> None:
    assert not is_stable([20.0, 15.0, 12.0, 11.0, 10.9, 10.3, 10.2, 10.1, 10.0, 10.0])


def test_median_that_has_stopped_is_stable_despite_one_slow_call() -> None:
    assert is_stable([50.0, 10.0, 10.1, 10.0, 10.2, 10.0, 10.1, 80.0, 10.0, 10.1, 10.0])


def test_fewer_than_two_windows_are_not_stable() -> None:
    assert not is_stable([1.0] * 9)
    assert is_stable([1.0] * 10)
    assert is_stable([1.0] * 4, window=2)


def test_tolerance_is_a_share_of_the_smaller_median() -> None:
    assert is_stable([1.0, 1.05], window=1, tolerance=0.05)
    assert is_stable([1.05, 1.0], window=1, tolerance=0.05)
    assert not is_stable([1.0, 1.06], window=1, tolerance=0.05)


def test_load_is_steady_when_the_last_three_windows_agree_within_a_tenth() -> None:
    assert is_steady([10.0, 100.0, 105.0, 110.0])
    assert not is_steady([100.0, 105.0, 110.1])
    assert not is_steady([100.0, 100.0])


@pytest.mark.parametrize(("window", "tolerance"), [(0, 0.1), (-1, 0.1), (1, -0.1), (1, math.nan)])
def test_windows_and_tolerances_that_make_no_sense_are_refused(window: int, tolerance: float) -> None:
    with pytest.raises(ValueError, match=r"window|tolerance"):
        is_stable([1.0], window, tolerance)
    with pytest.raises(ValueError, match=r"window|tolerance"):
        is_steady([1.0], window, tolerance)


def test_drift_is_the_farthest_part_from_the_median_of_all() -> None:
    assert drift([1.0] * 8 + [2.0] * 2) == 2.0
    assert drift([4.0] * 2 + [5.0] * 8) == 1.25
    assert drift([3.0] * 10) == 1.0


def test_one_slow_call_is_no_drift() -> None:
    assert drift([1.0, 1.0, 90.0, 1.0, 1.0] * 3) == 1.0


def test_few_values_are_parts_of_their_own() -> None:
    assert drift([1.0, 2.0, 4.0]) == 2.0


@pytest.mark.parametrize("values", [[], [1.0, 0.0], [1.0, math.nan]])
def test_drift_refuses_no_values_and_values_that_are_no_durations(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no values|not positive|NaN"):
        drift(values)
