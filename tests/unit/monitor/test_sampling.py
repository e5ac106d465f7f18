"""How many predictions are profiled, and which."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.monitor import Measurement, PerformanceMonitor
from perfcli.monitor.sampling import Sampler

MILLISECOND_NS = 1_000_000


def test_by_default_every_prediction_is_drawn() -> None:
    sampler = Sampler()
    assert all(sampler.random() < sampler.rate for _ in range(1000))
    assert sampler.rate == 1.0


def test_a_share_of_zero_draws_none_and_says_why() -> None:
    sampler = Sampler(0.0)
    assert not any(sampler.random() < sampler.rate for _ in range(1000))
    assert sampler.reason == "not sampled"


def test_a_share_is_drawn_at_random_and_not_in_step() -> None:
    sampler = Sampler(0.1, seed=1)
    drawn = [number for number in range(20_000) if (sampler.random() < sampler.rate)]
    # Binomial(20000, 0.1): the mean is 2000, its standard deviation 42.
    assert 2000 - 4 * 42 <= len(drawn) <= 2000 + 4 * 42
    assert len({number % 10 for number in drawn}) == 10


def test_the_draws_leave_the_generator_of_the_service_alone() -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    Sampler(0.5).random()
    assert random.random() == expected


@pytest.mark.parametrize("budget", [0.005, 0.01, 0.05])
def test_under_a_budget_profiling_adds_that_part_to_the_serving_time(budget: float) -> None:
    sampler = Sampler(budget=budget, seed=7)
    added_ns = plain_ns = 0
    for _ in range(200_000):
        drawn = sampler.random() < sampler.rate
        sampler.observe(22 * MILLISECOND_NS if drawn else 10 * MILLISECOND_NS, drawn)
        added_ns += 12 * MILLISECOND_NS if drawn else 0
        plain_ns += 10 * MILLISECOND_NS
    assert added_ns / plain_ns == pytest.approx(budget, rel=0.1)
    assert sampler.rate == pytest.approx(budget / 1.2, rel=0.01)


def test_the_rate_follows_a_profile_that_becomes_more_expensive() -> None:
    sampler = Sampler(budget=0.01)
    for _ in range(500):
        sampler.observe(10 * MILLISECOND_NS, profiled=False)
        sampler.observe(110 * MILLISECOND_NS, profiled=True)
    assert sampler.rate == pytest.approx(0.001, rel=0.01)


def test_what_measuring_itself_takes_is_part_of_the_budget() -> None:
    sampler = Sampler(budget=0.01)
    for _ in range(500):
        sampler.observe(10 * MILLISECOND_NS, profiled=False, own_ns=40_000)
        sampler.observe(20 * MILLISECOND_NS, profiled=True)
    assert sampler.rate == pytest.approx(0.006, rel=0.01)


def test_nothing_is_profiled_where_measuring_takes_the_budget() -> None:
    sampler = Sampler(budget=0.01)
    sampler.observe(MILLISECOND_NS, profiled=False, own_ns=10_000)
    assert (sampler.rate, sampler.reason) == (0.0, "over budget")


def test_a_slow_first_prediction_and_dear_profiles_of_short_ones_do_not_break_the_budget() -> None:
    sampler = Sampler(budget=0.2, seed=7)
    sampler.observe(200_000, profiled=False, own_ns=1_000)
    added_ns = 0
    for _ in range(20_000):
        if sampler.random() < sampler.rate:
            sampler.observe(12_000, profiled=True, own_ns=20_000)
            added_ns += 24_000
        else:
            sampler.observe(8_000, profiled=False, own_ns=1_000)
            added_ns += 1_000
    assert added_ns / (20_000 * 8_000) == pytest.approx(0.2, rel=0.15)


def test_half_of_the_predictions_stay_to_compare_with_however_large_the_budget_is() -> None:
    sampler = Sampler(budget=1.0)
    for _ in range(10):
        sampler.observe(10 * MILLISECOND_NS, profiled=False)
        sampler.observe(12 * MILLISECOND_NS, profiled=True)
    assert (sampler.rate, sampler.reason) == (0.5, "not sampled")


def test_before_anything_is_measured_a_profile_is_taken_to_be_expensive() -> None:
    assert Sampler(budget=0.01).rate == pytest.approx(0.005)


def test_a_budget_of_zero_profiles_nothing_and_says_why() -> None:
    sampler = Sampler(budget=0.0)
    assert not any(sampler.random() < sampler.rate for _ in range(1000))
    assert sampler.reason == "over budget"


@given(
    share=st.floats(0, 1),
    budget=st.none() | st.floats(0, 1),
    seen=st.lists(st.tuples(st.integers(0, 10**12), st.booleans())),
)
def test_a_rate_is_a_probability_and_never_above_the_share(
    share: float, budget: float | None, seen: list[tuple[int, bool]]
) -> None:
    sampler = Sampler(share, budget)
    for duration_ns, profiled in seen:
        sampler.observe(duration_ns, profiled)
    assert 0 <= sampler.rate <= share


def test_records_keep_the_rate_so_that_totals_can_be_weighted(emitted: list[Measurement]) -> None:
    monitor = PerformanceMonitor(emitted.append, enabled=True, sample_rate=0.25)
    profiled = []
    for _ in range(400):
        with monitor.profile():
            pass
        metrics = monitor.get_metrics()
        assert metrics is not None
        assert metrics["sample_rate"] == 0.25
        assert metrics["reason"] in (None, "not sampled")
        profiled.append(metrics["profiled"])
    assert 50 <= sum(map(bool, profiled)) <= 150
