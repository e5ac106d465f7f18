from __future__ import annotations

import random

import pytest

from perfcli.loadtest.steady import Level, Steadiness, find_steady, is_uniform


def levels(latencies_s: list[float], requests: int = 100) -> list[Level]:
    """A closed loop of one user: throughput is the inverse of the latency."""
    return [Level(1 / latency, latency, requests) for latency in latencies_s]


@pytest.mark.parametrize("cold", [1, 5, 12])
def test_warm_up_ends_where_a_server_that_is_evenly_slow_while_cold_gets_fast(cold: int) -> None:
    assert find_steady(levels([0.040] * cold + [0.004] * (30 - cold))) == Steadiness(cold, True)


def test_a_steady_run_has_no_warm_up() -> None:
    assert find_steady(levels([0.004] * 30)) == Steadiness(0, True)


def test_ordinary_noise_is_steady_in_nine_of_ten_runs() -> None:
    source = random.Random(3)
    runs = [find_steady(levels([0.004 * source.gauss(1, 0.03) for _ in range(30)])) for _ in range(100)]

    assert sum(run.stable is True for run in runs) >= 90
    assert max(run.first for run in runs) <= 3


def test_a_drift_is_never_steady() -> None:
    for slope in (0.02, 0.05, 0.1):
        assert find_steady(levels([0.004 * (1 + slope * window) for window in range(30)])).stable is False


def test_a_server_that_gets_slow_at_the_end_is_not_steady() -> None:
    assert find_steady(levels([0.004] * 20 + [0.040] * 10)).stable is False


def test_throughput_alone_can_make_a_run_unsteady() -> None:
    windows = [Level(100.0 + 10 * window, 0.004, 100) for window in range(30)]

    assert find_steady(windows).stable is False


def test_windows_of_a_ramp_are_warm_up_in_any_case() -> None:
    assert find_steady(levels([0.004] * 30), earliest=4) == Steadiness(4, True)


@pytest.mark.parametrize("windows", [levels([0.004] * 5), levels([0.004] * 30, requests=9), []])
def test_too_little_to_tell_is_not_called_steady(windows: list[Level]) -> None:
    assert find_steady(windows) == Steadiness(0, None)


def test_thirds_of_too_few_requests_are_not_compared() -> None:
    assert is_uniform(levels([0.004] * 30, requests=9)) is None
    assert is_uniform([]) is None


def test_windows_without_a_success_are_not_steady() -> None:
    assert find_steady([Level(100.0, None, 100)] * 30) == Steadiness(0, False)
