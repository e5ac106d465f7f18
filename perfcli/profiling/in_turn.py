"""Time two targets in turn within one run, in an order drawn at random, so that drift of the machine hits both."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from perfcli.profiling.rounds import Call
from perfcli.records.comparison import Turn
from perfcli.statistics import is_stable, mean_of_medians, median_interval

SLOW_S = 0.3
TURN_S = 0.002
MIN_CALLS = 3
MAX_CALLS = 50
MAX_WARM_UP_CALLS = 50
WARM_UP_WINDOW = 5
WARM_UP_SHARE = 0.1
FEWEST_TURNS = 10
"""A turn takes no more payloads than leave time for so many turns: below, next to nothing is proven."""


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """When to stop.

    Attributes:
        max_time_s: No turn is started after this time.
        precision: Stop once the 95 % interval of the ratio reaches no farther than this to either side.
        min_turns: But not before so many turns.
        seed: Of the order.
    """

    max_time_s: float = 20.0
    precision: float = 0.01
    min_turns: int = 50
    seed: int | None = None


@dataclass(slots=True)
class Turns:
    """What was timed so far; an interruption loses no turn that was complete.

    Attributes:
        taken: In the order they were taken.
        partial: The run was interrupted.
    """

    taken: list[Turn] = field(default_factory=list)
    partial: bool = False


def time_in_turn(
    base: Sequence[Call],
    new: Sequence[Call],
    plan: TurnPlan,
    clock: Callable[[], int] = time.perf_counter_ns,
    on_progress: Callable[[Turns], None] = lambda _: None,
) -> Turns:
    """Time the calls of two sides in turn until the ratio of their medians is known well enough.

    A turn is a few calls of one side with each payload after an uncounted one, which pays for the caches that the other
    side has left, and then the same of the other side: payloads that differ by as much as they like do not look like a
    change, and a change with some of them is part of every ratio. Where there is no time for all payloads in one turn,
    turns take them by parts. Ctrl-C ends the run early, marked as partial.

    Args:
        base: One call of the one side for each payload.
        new: Those of the other, of the same payloads.
        plan: When to stop.
        clock: Nanoseconds.
        on_progress: Called after each turn.

    Raises:
        ValueError: The sides do not have as many payloads.
    """
    if len(base) != len(new):
        raise ValueError(f"{len(base)} calls of the base cannot be paired with {len(new)} of the new side")
    turns = Turns()
    try:
        _run(turns, base, new, plan, clock, on_progress)
    except KeyboardInterrupt:
        turns.partial = True
    return turns


def _run(
    turns: Turns,
    base: Sequence[Call],
    new: Sequence[Call],
    plan: TurnPlan,
    clock: Callable[[], int],
    on_progress: Callable[[Turns], None],
) -> None:
    ends_ns = clock() + round(plan.max_time_s * 1e9)
    order = random.Random(plan.seed)
    sides = base, new
    warm_up_ns = round(plan.max_time_s * WARM_UP_SHARE * 1e9)
    typical_s = max(1e-9, *(_warm_up(calls, clock, clock() + warm_up_ns) for calls in sides))
    payloads = _payloads_in_turn(len(base), typical_s, plan.max_time_s)
    rounds = _rounds(payloads * typical_s)
    # Drawn, so that a part of the payloads is as good as another: neighbours in a file are alike.
    drawn = order.sample(range(len(base)), len(base))
    next_look = plan.min_turns
    # The first turn is taken whatever the time, so that there is something to compare.
    while clock() < ends_ns or not turns.taken:
        first = len(turns.taken) * payloads
        chosen = [drawn[number % len(drawn)] for number in range(first, first + payloads)]
        durations: dict[int, tuple[float, ...]] = {}
        for side in order.sample((0, 1), 2):
            sides[side][chosen[0]]()
            durations[side] = tuple(_time(sides[side][payload], clock) for payload in chosen * rounds)
        turns.taken.append(Turn(durations[0], durations[1], payloads))
        on_progress(turns)
        if len(turns.taken) >= next_look:
            if _precise(turns, plan.precision):
                return
            next_look = round(len(turns.taken) * 1.2)


def _warm_up(calls: Sequence[Call], clock: Callable[[], int], ends_ns: int) -> float:
    """Call until the running median is stable; return the mean over payloads of the medians of the last calls."""
    # A window holds every payload: the medians of different ones would never agree.
    window = min(max(WARM_UP_WINDOW, len(calls)), MAX_WARM_UP_CALLS // 2)
    durations: list[float] = []
    while not durations or (
        not is_stable(durations, window) and len(durations) < MAX_WARM_UP_CALLS and clock() < ends_ns
    ):
        durations.append(_time(calls[len(durations) % len(calls)], clock))
    return mean_of_medians(durations[-window:], len(calls))


def _payloads_in_turn(payloads: int, typical_s: float, max_time_s: float) -> int:
    """Return how many payloads a turn takes: all, unless there would not be the time for enough turns."""
    longest_s = max_time_s / FEWEST_TURNS / 2
    return max(1, min(payloads, int(longest_s / typical_s) - 1))


def _rounds(payloads_s: float) -> int:
    """Return how often a turn goes through its payloads, which together take so long."""
    return 1 if payloads_s > SLOW_S else max(MIN_CALLS, min(MAX_CALLS, round(TURN_S / payloads_s)))


def _time(call: Call, clock: Callable[[], int]) -> float:
    started_ns = clock()
    call()
    return (clock() - started_ns) / 1e9


def _precise(turns: Turns, precision: float) -> bool:
    interval = median_interval([turn.log_ratio for turn in turns.taken])
    return interval is not None and (interval[1] - interval[0]) / 2 <= math.log1p(precision)
