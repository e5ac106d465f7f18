"""Arrivals are due exactly when the integral of the rate says."""

import math
import statistics
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.loadtest.engine.arrivals import budget_s, length_s, schedule, users_at
from perfcli.loadtest.plan import Plan, Segment

rates = st.floats(0.5, 200)
segments = st.lists(
    st.builds(Segment, st.floats(0, 100), st.floats(0.1, 100), st.floats(0.1, 5)), min_size=1, max_size=4
).map(tuple)


def _seconds(plan, index=0, processes=1):
    return [start_ns / 1e9 for start_ns in schedule(plan, index, processes)]


def test_a_constant_rate_is_evenly_spaced_from_the_very_start() -> None:
    assert _seconds(Plan(open_loop=True, rate=4.0, duration_s=1.0)) == [0.0, 0.25, 0.5, 0.75]


def test_a_ramp_is_inverted_in_closed_form() -> None:
    # Rate 2 t: the expected number after t seconds is t^2, so arrival n is due at the square root of n.
    plan = Plan(open_loop=True, shape=(Segment(0, 20, 10.0),))
    assert _seconds(plan) == pytest.approx([math.sqrt(n) for n in range(100)], abs=1e-9)


def test_a_falling_ramp_ends_at_rest() -> None:
    plan = Plan(open_loop=True, shape=(Segment(20, 0, 10.0),))
    assert _seconds(plan) == pytest.approx([10 - math.sqrt(100 - n) for n in range(100)], abs=1e-9)


def test_segments_follow_each_other_without_a_gap() -> None:
    plan = Plan(open_loop=True, shape=(Segment(2, 2, 1.0), Segment(0, 0, 3.0), Segment(4, 4, 0.5)))
    assert _seconds(plan) == pytest.approx([0.0, 0.5, 4.0, 4.25])


def test_a_budget_ends_the_schedule() -> None:
    assert len(_seconds(Plan(open_loop=True, rate=1000.0, requests=7))) == 7


def test_without_an_end_the_schedule_goes_on() -> None:
    assert next(islice(schedule(Plan(open_loop=True, rate=2.0), 0, 1), 1_000_000, None)) == 500_000 * 10**9


def test_poisson_arrivals_have_the_rate_and_the_variation_of_a_poisson_process() -> None:
    plan = Plan(open_loop=True, rate=500.0, duration_s=100.0, arrivals="poisson", seed=3)
    starts = _seconds(plan)
    gaps = [after - before for before, after in pairwise(starts)]
    # 50 000 expected; four standard deviations are 900.
    assert abs(len(starts) - 50_000) < 900
    assert statistics.stdev(gaps) / statistics.fmean(gaps) == pytest.approx(1.0, abs=0.03)


def test_poisson_arrivals_are_repeatable_and_depend_on_the_seed() -> None:
    plan = Plan(open_loop=True, rate=50.0, duration_s=1.0, arrivals="poisson", seed=1)
    assert _seconds(plan) == _seconds(plan)
    assert _seconds(plan) != _seconds(Plan(open_loop=True, rate=50.0, duration_s=1.0, arrivals="poisson", seed=2))


@given(segments, st.sampled_from(["constant", "poisson"]), st.integers(1, 5))
def test_the_shares_of_several_processes_are_the_sequence_of_one(shape, arrivals, processes) -> None:
    plan = Plan(open_loop=True, shape=shape, arrivals=arrivals, seed=9)
    shares = [list(schedule(plan, index, processes)) for index in range(processes)]
    assert sorted(start for part in shares for start in part) == list(schedule(plan, 0, 1))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(segments)
def test_the_number_of_arrivals_is_the_area_under_the_shape(shape) -> None:
    starts = list(schedule(Plan(open_loop=True, shape=shape), 0, 1))
    area = sum((part.start + part.end) / 2 * part.duration_s for part in shape)
    assert abs(len(starts) - area) <= 1
    assert starts == sorted(starts)
    assert not starts or starts[-1] <= sum(part.duration_s for part in shape) * 1e9 + 1


def test_users_follow_the_shape_and_stay_at_its_end() -> None:
    shape = (Segment(0, 100, 10.0), Segment(100, 100, 5.0), Segment(300, 300, 1.0))
    assert [users_at(shape, t) for t in (0, 5, 9.99, 10, 14.9, 15, 16, 99)] == [0, 50, 100, 100, 100, 300, 300, 300]


def test_the_length_of_a_shape_is_that_of_its_parts() -> None:
    assert length_s(Plan(shape=(Segment(0, 1, 2.5), Segment(1, 1, 0.5)))) == 3.0
    assert length_s(Plan(duration_s=7.0)) == 7.0
    assert length_s(Plan()) is None


@pytest.mark.parametrize(
    ("options", "end_s"),
    [
        ({"rate": 2.0, "requests": 4}, 2.0),
        ({"rate": 2.0, "requests": 4, "duration_s": 1.5}, None),
        ({"rate": 2.0, "duration_s": 1.5}, None),
        ({"shape": (Segment(0, 20, 10.0),), "requests": 9}, 3.0),
    ],
)
def test_so_many_arrivals_last_as_many_gaps_unless_the_schedule_ends_before(options, end_s) -> None:
    assert budget_s(Plan(open_loop=True, **options)) == end_s


def test_a_budget_of_the_closed_loop_has_no_schedule() -> None:
    assert budget_s(Plan(requests=4)) is None
