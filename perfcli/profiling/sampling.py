"""Call a target over and over, unprofiled and under cProfile in turn, until the median is known well enough.

The two kinds are made in blocks, in an order drawn at random, so that drift of the machine hits both. The first calls
after a profiled block are made but not counted: the profiler leaves cold caches behind, and on Python 3.12 and later
bytecode that has to be specialised again. Measured on a pandas and scikit-learn row, relative to a bare loop: the first
unprofiled call after a profiled one takes 1.11 (3.11), 1.36 (3.12) and 1.33 (3.13), the fourth 1.02, the fifth 1.00.
"""

from __future__ import annotations

import cProfile
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import NamedTuple, Protocol

from perfcli.statistics import is_stable, median, median_interval

Call = Callable[[], object]

WARM_UP_SHARE = 0.2
MAX_WARM_UP_CALLS = 200
SETTLING_S = 0.05
MAX_SETTLING_CALLS = 4
BLOCK_S = 0.1
MAX_PLAIN_CALLS = 16
MAX_PROFILED_CALLS = 4
MIN_ROUNDS = 6


class Clock(Protocol):
    """Where times come from; `time` itself, or a test's own."""

    def perf_counter_ns(self) -> int:
        """Return the wall time."""
        ...

    def thread_time_ns(self) -> int:
        """Return the CPU time of this thread."""
        ...

    def process_time_ns(self) -> int:
        """Return the CPU time of all threads."""
        ...


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """When to stop.

    Attributes:
        max_time_s: No call is started after this time.
        runs: Exactly so many counted unprofiled calls; None to go by `precision`.
        precision: Stop once the 95 % interval of the median is within this ratio of it, on either side.
        min_runs: But not before so many runs: 100, so that there is a p95.
        profiled: Make profiled calls too.
        seed: Of the order of blocks.
    """

    max_time_s: float = 10.0
    runs: int | None = None
    precision: float = 0.02
    min_runs: int = 100
    profiled: bool = True
    seed: int | None = None


class Sample(NamedTuple):
    """One unprofiled call, in seconds and bytes."""

    wall_s: float
    thread_s: float
    process_s: float
    rss_growth_bytes: int


class ProfiledSample(NamedTuple):
    """One call under cProfile; `wall_s` includes switching it on and off."""

    wall_s: float
    profiler: cProfile.Profile


@dataclass(slots=True)
class Round:
    """What was counted between two looks at the clock."""

    plain: list[Sample] = field(default_factory=list)
    profiled: list[ProfiledSample] = field(default_factory=list)


class Sampler:
    """Measures calls, and holds all that was measured so far, so that an interruption loses nothing."""

    def __init__(self, calls: Sequence[Call], plan: SamplingPlan, read_rss: Callable[[], int], clock: Clock = time):
        self.plan = plan
        self.rounds: list[Round] = []
        self.warm_up_s: list[float] = []
        self.profiler_refused = ""
        self._turns = {True: cycle(calls), False: cycle(calls)}
        self._read_rss = read_rss
        self._clock = clock
        self._started_ns = clock.perf_counter_ns()

    @property
    def samples(self) -> list[Sample]:
        """All counted unprofiled calls."""
        return [sample for round_ in self.rounds for sample in round_.plain]

    @property
    def elapsed_s(self) -> float:
        """Time since the first call."""
        return (self._clock.perf_counter_ns() - self._started_ns) / 1e9

    def warm_up(self) -> bool:
        """Call until the running median is stable; return whether it became so in its share of the time."""
        while len(self.warm_up_s) < MAX_WARM_UP_CALLS:
            if is_stable(self.warm_up_s):
                return True
            if self.elapsed_s > WARM_UP_SHARE * self.plan.max_time_s and self.warm_up_s:
                return False
            self.warm_up_s.append(self.measure_plain().wall_s)
        return is_stable(self.warm_up_s)

    def run(self) -> Iterator[Round]:
        """Measure round after round until the plan is fulfilled; yield after each, for those who watch."""
        order = random.Random(self.plan.seed)
        typical_s = median(self.warm_up_s) if self.warm_up_s else self.measure_plain().wall_s
        settling = max(1, min(MAX_SETTLING_CALLS, round(SETTLING_S / max(typical_s, 1e-9))))
        plain = max(1, min(MAX_PLAIN_CALLS, round(BLOCK_S / max(typical_s, 1e-9))))
        while not self._fulfilled():
            self.rounds.append(Round())
            blocks = [(False, plain, settling)] + [(True, max(1, plain // 4), 1)] * self.plan.profiled
            order.shuffle(blocks)
            for profiled, counted, uncounted in blocks:
                if profiled:
                    self._profiled_block(counted, uncounted)
                else:
                    self._plain_block(counted, uncounted)
            yield self.rounds[-1]

    def measure_plain(self) -> Sample:
        """Make one unprofiled call."""
        clock, call = self._clock, next(self._turns[False])
        rss = self._read_rss()
        process = clock.process_time_ns()
        thread = clock.thread_time_ns()
        start = clock.perf_counter_ns()
        call()
        wall = clock.perf_counter_ns() - start
        thread = clock.thread_time_ns() - thread
        process = clock.process_time_ns() - process
        return Sample(wall / 1e9, thread / 1e9, process / 1e9, self._read_rss() - rss)

    def _plain_block(self, counted: int, uncounted: int) -> None:
        counts = [False] * uncounted + [True] * counted
        for count in counts:
            if self._out_of_time() or (count and self._enough_runs()):
                return
            sample = self.measure_plain()
            if count:
                self.rounds[-1].plain.append(sample)

    def _profiled_block(self, counted: int, uncounted: int) -> None:
        for position in range(uncounted + counted):
            if self._out_of_time() or self.profiler_refused:
                return
            sample = self._measure_profiled()
            if sample is not None and position >= uncounted:
                self.rounds[-1].profiled.append(sample)

    def _measure_profiled(self) -> ProfiledSample | None:
        clock, call = self._clock, next(self._turns[True])
        profiler = cProfile.Profile()
        start = clock.perf_counter_ns()
        try:
            profiler.enable()
        except ValueError as error:  # Python 3.12 and later: there can be only one
            self.profiler_refused = str(error)
            return None
        try:
            call()
        finally:
            profiler.disable()
        return ProfiledSample((clock.perf_counter_ns() - start) / 1e9, profiler)

    def _out_of_time(self) -> bool:
        """The time is over; the first round makes one call of each kind whatever the time."""
        first = len(self.rounds) == 1 and not self.rounds[0].plain
        return not first and self.plan.runs is None and self.elapsed_s >= self.plan.max_time_s

    def _enough_runs(self) -> bool:
        return self.plan.runs is not None and len(self.samples) >= self.plan.runs

    def _fulfilled(self) -> bool:
        if self._enough_runs():
            return True
        if self._out_of_time():
            return bool(self.rounds)
        return self.plan.runs is None and len(self.rounds) >= MIN_ROUNDS and self.precise()

    @property
    def gave_up(self) -> bool:
        """The time was over before the median was known as well as asked for."""
        return self.plan.runs is None and self.elapsed_s >= self.plan.max_time_s and not self.precise()

    def precise(self) -> bool:
        """The median is known as well as the plan asks for, from enough runs."""
        values = [sample.wall_s for sample in self.samples]
        interval = median_interval(values) if len(values) >= self.plan.min_runs else None
        return interval is not None and (interval[1] - interval[0]) / 2 <= self.plan.precision * median(values)
