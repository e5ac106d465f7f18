"""Time one prediction of several batch sizes and numbers of threads, in turn, so that drift hits all of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import cycle, islice

from perfcli.errors import MissingExtraError, UsageError
from perfcli.payloads import Payload
from perfcli.profiling.rounds import Call
from perfcli.records.sweep import SweepPoint
from perfcli.statistics import median, median_interval

Setting = tuple[int, int | None]
"""Batch size and number of threads."""

MIN_ROUNDS = 3


@dataclass(slots=True)
class Sweep:
    """What was timed so far, in seconds; an interruption loses nothing.

    Attributes:
        durations: By setting.
        partial: The sweep was interrupted.
    """

    durations: dict[Setting, list[float]] = field(default_factory=dict)
    partial: bool = False

    @property
    def points(self) -> tuple[SweepPoint, ...]:
        """Summaries of the settings that were timed, by number of threads, then by batch size."""
        settings = sorted(self.durations, key=lambda setting: (setting[1] or 0, setting[0]))
        return tuple(_summarise(setting, self.durations[setting]) for setting in settings if self.durations[setting])


def make_batch(payloads: Sequence[Payload], rows: int) -> Payload:
    """Return a batch of that many rows: those of the payloads, over and over.

    Raises:
        UsageError: The payloads hold no rows.
    """
    single: list[object] = []
    for payload in payloads:
        single.extend(payload if isinstance(payload, list) else [payload])
    if not single:
        raise UsageError("The payloads hold no rows.", "Name a file with at least one.")
    return list(islice(cycle(single), rows))


def run_sweep(
    calls: Mapping[int, Call],
    threads: Sequence[int | None],
    max_time_s: float,
    *,
    limit: Callable[[int], AbstractContextManager[object]] | None = None,
    clock: Callable[[], int] = time.perf_counter_ns,
    seed: int = 0,
) -> Sweep:
    """Time the call of each batch size with each number of threads, round after round in a random order.

    Args:
        calls: One prediction, by batch size.
        threads: Numbers of threads; None leaves them as they are.
        max_time_s: No round is started after this time, but for the first three.
        limit: Limits the native thread pools while its block runs; None for threadpoolctl's.
        clock: Nanoseconds.
        seed: Of the order.
    """
    sweep = Sweep({(batch, count): [] for count in threads for batch in calls})
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
    calls: Mapping[int, Call],
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
                calls[batch]()
                started_ns = clock()
                calls[batch]()
                sweep.durations[batch, threads].append((clock() - started_ns) / 1e9)
        rounds += 1


def _summarise(setting: Setting, durations: Sequence[float]) -> SweepPoint:
    low, high = median_interval(durations) or (None, None)
    return SweepPoint(setting[0], setting[1], median(durations), low, high, len(durations))
