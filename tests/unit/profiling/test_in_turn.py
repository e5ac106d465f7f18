from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from perfcli.profiling.in_turn import TurnPlan, time_in_turn
from perfcli.profiling.rounds import Call
from perfcli.records.comparison import Change, Turn
from perfcli.verdicts.latency_change import Rule, changes_in_turn


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


def paired(machine: Machine, base_s: Sequence[float], new_s: Sequence[float]) -> tuple[list[Call], list[Call]]:
    """Return the calls of both sides; at first the new one takes ever less time, and its warm-up is longer."""
    base = [machine.call("base", lambda _, each=each: each) for each in base_s]
    new = [machine.call("new", lambda now, each=each: each * max(1.0, 3 - now)) for each in new_s]
    return base, new


@pytest.mark.parametrize("payload", range(4))
def test_change_with_one_of_several_payloads_is_part_of_every_turn(payload: int) -> None:
    machine = Machine()
    durations_s = [0.016, 0.004, 0.04, 0.008]
    changed_s = [each * 2 if number == payload else each for number, each in enumerate(durations_s)]
    turns = time_in_turn(*paired(machine, durations_s, changed_s), TurnPlan(20, precision=0.0, seed=1), machine.clock)
    expected = math.log(sum(changed_s) / sum(durations_s))
    settled = turns.taken[10:]
    assert len(settled) > 10
    assert [turn.log_ratio for turn in settled] == pytest.approx([expected] * len(settled))
    assert {tuple(sorted(turn.base_s)) for turn in settled} == {tuple(sorted(durations_s * 3))}
    assert {tuple(sorted(turn.new_s)) for turn in settled} == {tuple(sorted(changed_s * 3))}


def test_target_compared_with_itself_has_not_changed_whatever_its_payloads_take() -> None:
    found: Counter[Change] = Counter()
    for seed in range(40):
        machine, source = Machine(), random.Random(seed)
        sides = paired(machine, [0.001, 0.01, 0.0005], [0.001, 0.01, 0.0005])
        noisy = [[slowed(machine, call, source) for call in calls] for calls in sides]
        turns = time_in_turn(noisy[0], noisy[1], TurnPlan(12, precision=0.0125, seed=seed), machine.clock)
        (metric,), _ = changes_in_turn(turns.taken, Rule())
        found[metric.change] += 1
    assert found == {"same": 40}


def slowed(machine: Machine, call: Call, source: random.Random) -> Call:
    """Return the call with noise: up to a fifth longer, and one in twenty five times as long."""

    def made() -> None:
        before_ns = machine.now_ns
        call()
        factor = 5.0 if source.random() < 0.05 else 1 + source.random() / 5
        machine.now_ns = before_ns + round((machine.now_ns - before_ns) * factor)

    return made


def test_uncounted_call_before_those_of_a_side_has_the_payload_that_is_timed_next() -> None:
    machine = Machine()
    sides = [[machine.call(f"{side} {number}", lambda _: 0.01) for number in range(3)] for side in ("base", "new")]
    time_in_turn(sides[0], sides[1], TurnPlan(3, precision=0.0, seed=1), machine.clock)
    in_turns = machine.made[20:]
    for start in range(0, len(in_turns), 10):
        uncounted, *timed = in_turns[start : start + 10]
        assert uncounted == timed[0]
        assert timed == timed[:3] * 3
        assert len(set(timed)) == 3


def test_payloads_that_leave_no_time_for_enough_turns_are_taken_by_parts_and_equally_often() -> None:
    machine = Machine()
    durations_s = [0.09 + number / 1e6 for number in range(40)]
    turns = time_in_turn(*paired(machine, durations_s, durations_s), TurnPlan(40, precision=0.0, seed=1), machine.clock)
    assert {(turn.payloads, len(turn.base_s), turn.base_s == turn.new_s) for turn in turns.taken} == {(21, 21, True)}
    assert len(turns.taken) == 9
    counted = Counter(duration for turn in turns.taken for duration in turn.base_s)
    assert set(counted.values()) == {4, 5}
    neighbours = sum(round((two - one) * 1e6) == 1 for turn in turns.taken for one, two in pairwise(turn.base_s))
    assert neighbours < 20


def test_sides_with_different_numbers_of_payloads_are_refused() -> None:
    machine = Machine()
    call = machine.call("a", lambda _: 0.1)
    with pytest.raises(ValueError, match="2 calls of the base cannot be paired with 1 of the new side"):
        time_in_turn([call, call], [call], TurnPlan(), machine.clock)


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
