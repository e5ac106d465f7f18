"""Time two targets in turn within one run, in an order drawn at random, so that drift of the machine hits both."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from perfcli.profiling.rounds import Call
from perfcli.records.comparison import Turn
from perfcli.statistics import is_stable, median, median_interval

SLOW_S = 0.3
TURN_S = 0.002
MIN_CALLS = 3
MAX_CALLS = 50
MAX_WARM_UP_CALLS = 50
WARM_UP_SHARE = 0.1


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
    sides = [cycle(base), cycle(new)]
    warm_up_ns = round(plan.max_time_s * WARM_UP_SHARE * 1e9)
    typical_s = max(_warm_up(calls, clock, clock() + warm_up_ns) for calls in sides)
    count = 1 if typical_s > SLOW_S else max(MIN_CALLS, min(MAX_CALLS, round(TURN_S / max(typical_s, 1e-9))))
    next_look = plan.min_turns
    # The first turn is taken whatever the time, so that there is something to compare.
    while clock() < ends_ns or not turns.taken:
        durations: dict[int, tuple[float, ...]] = {}
        for side in order.sample((0, 1), 2):
            next(sides[side])()
            durations[side] = tuple(_time(next(sides[side]), clock) for _ in range(count))
        turns.taken.append(Turn(durations[0], durations[1]))
        on_progress(turns)
        if len(turns.taken) >= next_look:
            if _precise(turns, plan.precision):
                return
            next_look = round(len(turns.taken) * 1.2)


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
    interval = median_interval([turn.log_ratio for turn in turns.taken])
    return interval is not None and (interval[1] - interval[0]) / 2 <= math.log1p(precision)
