from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from perfcli.profiling.in_turn import TurnPlan, time_in_turn
from perfcli.profiling.rounds import Call
from perfcli.records.comparison import Turn


class Machine:
    """A clock that moves only when a call is made, by what the call takes at that moment."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.made: list[str] = []

    def clock(self) -> int:
        return self.now_ns

    def call(self, name: str, duration_s: Callable[[float], float]) -> Call:
        def made() -> None:
            self.made.append(name)
            self.now_ns += round(duration_s(self.now_ns / 1e9) * 1e9)

        return made


def test_drift_of_the_machine_hits_both_sides_alike() -> None:
    machine = Machine()
    # The machine becomes three times slower over the run; the new side is 10 % slower at any moment.
    base = machine.call("base", lambda now: 0.004 * (1 + now / 5))
    new = machine.call("new", lambda now: 0.0044 * (1 + now / 5))
    turns = time_in_turn([base], [new], TurnPlan(max_time_s=10, precision=0.0001, seed=1), machine.clock)
    ratios = [math.exp(turn.log_ratio) for turn in turns.taken]
    assert sum(ratios) / len(ratios) == pytest.approx(1.1, rel=0.005)
    assert all(len(turn.base_s) == len(turn.new_s) == 3 for turn in turns.taken)


def test_order_of_the_sides_is_drawn_at_random_and_repeatable() -> None:
    def order(seed: int) -> list[str]:
        machine = Machine()
        sides = [machine.call(name, lambda _: 0.05) for name in ("base", "new")]
        time_in_turn([sides[0]], [sides[1]], TurnPlan(max_time_s=10, precision=0.0, seed=seed), machine.clock)
        return machine.made

    assert order(1) == order(1) != order(2)
    firsts = order(1)[20::8]
    assert {"base", "new"} == set(firsts)


def test_run_ends_when_the_ratio_is_known_well_enough() -> None:
    machine = Machine()
    source = random.Random(3)
    noisy = [machine.call(name, lambda _: 0.005 * source.lognormvariate(0, 0.05)) for name in ("base", "new")]
    turns = time_in_turn([noisy[0]], [noisy[1]], TurnPlan(max_time_s=1000, precision=0.01, seed=1), machine.clock)
    assert 50 <= len(turns.taken) < 1000
    assert not turns.partial


def test_time_ends_a_run_that_stays_imprecise() -> None:
    machine = Machine()
    source = random.Random(3)
    noisy = [machine.call(name, lambda _: 0.005 * source.lognormvariate(0, 1)) for name in ("base", "new")]
    time_in_turn([noisy[0]], [noisy[1]], TurnPlan(max_time_s=5, precision=0.001, seed=1), machine.clock)
    assert 5 <= machine.now_ns / 1e9 < 5.5


def test_slow_calls_are_timed_once_on_each_side_whatever_the_time() -> None:
    machine = Machine()
    sides = [machine.call(name, lambda _: 60.0) for name in ("base", "new")]
    turns = time_in_turn([sides[0]], [sides[1]], TurnPlan(max_time_s=1, seed=1), machine.clock)
    assert turns.taken == [Turn((60.0,), (60.0,))]


def test_payloads_are_taken_in_turn() -> None:
    machine = Machine()
    base = [machine.call(f"base {number}", lambda _: 0.1) for number in range(3)]
    time_in_turn(base, [machine.call("new", lambda _: 0.1)], TurnPlan(max_time_s=3, precision=0.0), machine.clock)
    made = [name for name in machine.made if name != "new"]
    assert made == [f"base {number % 3}" for number in range(len(made))]


def test_interruption_keeps_what_was_timed() -> None:
    machine = Machine()

    def interrupted(now: float) -> float:
        if now > 2:
            raise KeyboardInterrupt
        return 0.01

    sides = [machine.call(name, interrupted) for name in ("base", "new")]
    turns = time_in_turn([sides[0]], [sides[1]], TurnPlan(max_time_s=60, precision=0.0, seed=1), machine.clock)
    assert turns.partial
    assert len(turns.taken) == 22
    assert set(turns.taken) == {Turn((0.01,) * 3, (0.01,) * 3)}


def test_progress_is_told_after_each_turn() -> None:
    machine = Machine()
    told: list[int] = []
    side = machine.call("a", lambda _: 0.05)
    turns = time_in_turn(
        [side],
        [side],
        TurnPlan(max_time_s=10, precision=0.0),
        machine.clock,
        lambda turns: told.append(len(turns.taken)),
    )
    assert told == list(range(1, len(turns.taken) + 1))
    assert len(told) > 5
