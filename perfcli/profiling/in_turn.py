"""Time two targets in turn within one run, in an order drawn at random, so that drift of the machine hits both."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from perfcli.statistics import Distribution, is_stable, median, percentile_ratio_interval

Call = Callable[[], object]

TURN_S = 0.04
MAX_CALLS = 8
MAX_WARM_UP_CALLS = 50
WARM_UP_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """When to stop.

    Attributes:
        max_time_s: No turn is started after this time.
        precision: Stop once the 95 % interval of the ratio of medians reaches this far to either side.
        min_runs: But not before so many counted calls on each side.
        seed: Of the order.
    """

    max_time_s: float = 20.0
    precision: float = 0.01
    min_runs: int = 100
    seed: int | None = None


@dataclass(slots=True)
class Turns:
    """What was timed so far, in seconds, in the order it was timed; an interruption loses nothing.

    Attributes:
        base: Durations of the one side.
        new: Durations of the other.
        partial: The run was interrupted.
    """

    base: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)
    partial: bool = False


def time_in_turn(
    base: Sequence[Call],
    new: Sequence[Call],
    plan: TurnPlan,
    clock: Callable[[], int] = time.perf_counter_ns,
    on_progress: Callable[[Turns], None] = lambda _: None,
) -> Turns:
    """Time the calls of two sides in turn until the ratio of their medians is known well enough.

    A turn is a few calls of one side after an uncounted one, which pays for the caches that the other side has
    left. Ctrl-C ends the run early, marked as partial.
    """
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
    sides = [(cycle(base), turns.base), (cycle(new), turns.new)]
    warm_up_ns = round(plan.max_time_s * WARM_UP_SHARE * 1e9)
    typical_s = max(_warm_up(calls, clock, clock() + warm_up_ns) for calls, _ in sides)
    count = max(1, min(MAX_CALLS, round(TURN_S / max(typical_s, 1e-9))))
    next_look = plan.min_runs
    # The first turn of each side is taken whatever the time, so that there is something to compare.
    while clock() < ends_ns or not turns.base:
        order.shuffle(sides)
        for calls, durations in sides:
            next(calls)()
            durations.extend(_time(next(calls), clock) for _ in range(count))
        if len(turns.base) >= next_look:
            on_progress(turns)
            if _precise(turns, plan.precision):
                return
            next_look = round(len(turns.base) * 1.2)


def _warm_up(calls: Iterator[Call], clock: Callable[[], int], ends_ns: int) -> float:
    """Call until the running median is stable; return the median of the last calls."""
    durations = [_time(next(calls), clock)]
    while not is_stable(durations) and len(durations) < MAX_WARM_UP_CALLS and clock() < ends_ns:
        durations.append(_time(next(calls), clock))
    return median(durations[-5:])


def _time(call: Call, clock: Callable[[], int]) -> float:
    started_ns = clock()
    call()
    return (clock() - started_ns) / 1e9


def _precise(turns: Turns, precision: float) -> bool:
    base, new = Distribution.of(turns.base), Distribution.of(turns.new)
    if base.values[0] <= 0 or new.values[0] <= 0:
        return False
    low, high = percentile_ratio_interval(base, new)
    return math.sqrt(high / low) - 1 <= precision
