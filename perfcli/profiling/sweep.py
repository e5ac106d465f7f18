"""Time one prediction of several batch sizes and numbers of threads, in turn, so that drift hits all of them.

Rows may differ in cost, so that every size is timed with the same rows: a round makes as many batches of a size as it
takes until each row was in them equally often, and what it counts is their mean.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from statistics import fmean

from perfcli.errors import MissingExtraError, UsageError
from perfcli.payloads import Payload
from perfcli.profiling.rounds import Call
from perfcli.records.sweep import SweepPoint
from perfcli.statistics import median, median_interval

Setting = tuple[int, int | None]
"""Batch size and number of threads."""

MIN_ROUNDS = 3
MAX_DISTINCT_ROWS = 32
"""Batches of one row take a call for each of them."""


@dataclass(slots=True)
class Sweep:
    """What was timed so far, in seconds; an interruption loses nothing.

    Attributes:
        durations: By setting, the mean over its batches in each round.
        batches: How many batches of each size a round makes.
        partial: The sweep was interrupted.
    """

    durations: dict[Setting, list[float]] = field(default_factory=dict)
    batches: dict[int, int] = field(default_factory=dict)
    partial: bool = False

    @property
    def points(self) -> tuple[SweepPoint, ...]:
        """Summaries of the settings that were timed, by number of threads, then by batch size."""
        settings = sorted(self.durations, key=lambda setting: (setting[1] or 0, setting[0]))
        return tuple(
            _summarise(setting, self.durations[setting], self.batches[setting[0]])
            for setting in settings
            if self.durations[setting]
        )


def make_batches(payloads: Sequence[Payload], rows: int) -> list[Payload]:
    """Return batches of that many rows, in which all rows of the payloads are equally often.

    Of many rows, 32 that are spread evenly over them: for every size the same.

    Raises:
        UsageError: The payloads hold no rows.
    """
    single: list[object] = []
    for payload in payloads:
        single.extend(payload if isinstance(payload, list) else [payload])
    if not single:
        raise UsageError("The payloads hold no rows.", "Name a file with at least one.")
    distinct = min(len(single), MAX_DISTINCT_ROWS)
    chosen = [single[number * len(single) // distinct] for number in range(distinct)]
    ends = range(rows, math.lcm(rows, distinct) + 1, rows)
    return [[chosen[number % distinct] for number in range(end - rows, end)] for end in ends]


def run_sweep(
    calls: Mapping[int, Sequence[Call]],
    threads: Sequence[int | None],
    max_time_s: float,
    *,
    limit: Callable[[int], AbstractContextManager[object]] | None = None,
    clock: Callable[[], int] = time.perf_counter_ns,
    seed: int = 0,
) -> Sweep:
    """Time the calls of each batch size with each number of threads, round after round in a random order.

    Args:
        calls: One prediction for each batch of a size, by batch size.
        threads: Numbers of threads; None leaves them as they are.
        max_time_s: No round is started after this time, but for the first three.
        limit: Limits the native thread pools while its block runs; None for threadpoolctl's.
        clock: Nanoseconds.
        seed: Of the order.
    """
    sweep = Sweep(
        {(batch, count): [] for count in threads for batch in calls},
        {batch: len(of_size) for batch, of_size in calls.items()},
    )
    try:
        _run(sweep, calls, max_time_s, limit or limit_threads, clock, random.Random(seed))
    except KeyboardInterrupt:
        sweep.partial = True
    return sweep


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Let each native thread pool of this process use so many threads while the block runs.

    Raises:
        MissingExtraError: threadpoolctl is not installed.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        raise MissingExtraError("Limiting threads", "model") from error
    with threadpool_limits(limits=threads):
        yield


def _run(
    sweep: Sweep,
    calls: Mapping[int, Sequence[Call]],
    max_time_s: float,
    limit: Callable[[int], AbstractContextManager[object]],
    clock: Callable[[], int],
    order: random.Random,
) -> None:
    ends_ns = clock() + round(max_time_s * 1e9)
    rounds = 0
    while rounds < MIN_ROUNDS or clock() < ends_ns:
        for batch, threads in order.sample(list(sweep.durations), len(sweep.durations)):
            with nullcontext() if threads is None else limit(threads):
                # Not counted: it pays for what the setting before has left in the caches.
                calls[batch][0]()
                sweep.durations[batch, threads].append(fmean(_time(call, clock) for call in calls[batch]))
        rounds += 1


def _time(call: Call, clock: Callable[[], int]) -> float:
    started_ns = clock()
    call()
    return (clock() - started_ns) / 1e9


def _summarise(setting: Setting, durations: Sequence[float], batches: int) -> SweepPoint:
    low, high = median_interval(durations) or (None, None)
    return SweepPoint(setting[0], setting[1], median(durations), low, high, len(durations) * batches)
