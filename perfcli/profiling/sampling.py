"""Call a target over and over, unprofiled and under cProfile in turn, until the median is known well enough.

The two kinds are made in blocks, in an order drawn at random, so that drift of the machine hits both. The first calls
of a block are made but not counted: the profiler leaves cold caches behind, and on Python 3.12 and later bytecode that
has to be specialised again. Measured relative to a bare loop, on pandas rows, forests and batches: the first unprofiled
call after a profiled one takes 1.17 to 1.33 times as long, the second 1.05 to 1.16, the eighth 1.00 to 1.08, the ninth
1.02 at most. CPU time and memory are read once a block, so that a block is nothing but a bare loop with a stop-watch.
"""

from __future__ import annotations

import cProfile
import random
import time
from _thread import get_ident
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from perfcli.monitor.gates import shut_out_other_threads
from perfcli.profiling.one_thread import other_threads_run
from perfcli.profiling.rounds import Call, Clock, ProfiledCalls, Round
from perfcli.statistics import is_stable, median, median_interval

WARM_UP_SHARE = 0.2
MAX_WARM_UP_CALLS = 200
WARM_UP_WINDOW = 5
SETTLING_S = 0.05
MAX_SETTLING_CALLS = 8
BLOCK_S = 0.15
MAX_BLOCK_CALLS = 24
PLAIN_PER_PROFILED = 4
SLOW_S = 2.0
"""To settle for a call that takes longer costs more than it is worth: caches are warm again after milliseconds."""
MIN_ROUNDS = 6


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


class Sampler:
    """Measures calls, and holds all that was measured so far, so that an interruption loses nothing."""

    def __init__(self, calls: Sequence[Call], plan: SamplingPlan, read_rss: Callable[[], int], clock: Clock = time):
        self.plan = plan
        self.rounds: list[Round] = []
        self.warm_up_s: list[float] = []
        self.profiler_refused = ""
        self._calls = calls
        self._counted = {True: 0, False: 0}
        self._shuts_others_out = False
        self._read_rss = read_rss
        self._clock = clock
        self._started_ns = clock.perf_counter_ns()
        self._deadline_ns = self._started_ns + round(plan.max_time_s * 1e9)

    @property
    def walls_s(self) -> list[float]:
        """Durations of all counted unprofiled calls."""
        return [wall_s for round_ in self.rounds for wall_s in round_.walls_s]

    @property
    def elapsed_s(self) -> float:
        """Time since the first call."""
        return (self._clock.perf_counter_ns() - self._started_ns) / 1e9

    def warm_up(self) -> bool:
        """Call until the running median is stable; return whether it became so in its share of the time."""
        # A window holds every payload: the medians of different ones would never agree.
        window = min(max(WARM_UP_WINDOW, len(self._calls)), MAX_WARM_UP_CALLS // 2)
        while len(self.warm_up_s) < MAX_WARM_UP_CALLS:
            if is_stable(self.warm_up_s, window):
                return True
            if self.elapsed_s > WARM_UP_SHARE * self.plan.max_time_s and self.warm_up_s:
                return False
            self._uncounted(1, self.warm_up_s, start=len(self.warm_up_s))
        return is_stable(self.warm_up_s, window)

    def run(self) -> Iterator[Round]:
        """Measure round after round until the plan is fulfilled; yield after each, for those who watch."""
        order = random.Random(self.plan.seed)
        if not self.warm_up_s:
            self._uncounted(1, self.warm_up_s)
        typical_s = max(median(self.warm_up_s), 1e-9)
        slow = typical_s > SLOW_S
        settling = 0 if slow else max(1, min(MAX_SETTLING_CALLS, round(SETTLING_S / typical_s)))
        plain = max(1, min(MAX_BLOCK_CALLS, round(BLOCK_S / typical_s), (self.plan.runs or 10**9) // MIN_ROUNDS))
        profiled = max(1, plain // PLAIN_PER_PROFILED)
        self._adopt_warm_up()
        if self.plan.profiled:
            # A gate does no harm to the one call that is profiled when the time is over, or to one that takes seconds.
            self._shuts_others_out = slow or self._out_of_time() or any(map(other_threads_run, self._calls[:settling]))
        while not self._fulfilled() or self._lacks_a_profile():
            self.rounds.append(Round())
            blocks = [partial(self._plain_block, plain, settling)]
            if self.plan.profiled:
                blocks.append(partial(self._profiled_block, profiled, int(not slow)))
            order.shuffle(blocks)
            for measure in blocks:
                measure(self.rounds[-1])
            yield self.rounds[-1]

    def first_call(self) -> float:
        """Make the first call of all; return its duration in seconds."""
        first: list[float] = []
        self._uncounted(1, first)
        return first[0]

    def _uncounted(self, calls: int, into: list[float], start: int | None = None) -> None:
        """Make unprofiled calls that do not count: the payloads keep their turn."""
        begin = self._counted[False] if start is None else start
        self._measure((self._calls[(begin + number) % len(self._calls)] for number in range(calls)), into)

    def _measure(self, calls: Iterable[Call], into: list[float]) -> None:
        """Make unprofiled calls until the time is over; add their durations in seconds."""
        read_ns = self._clock.perf_counter_ns
        for call in calls:
            start = read_ns()
            call()
            into.append((read_ns() - start) / 1e9)
            if self._out_of_time():
                break

    def _plain_block(self, counted: int, settling: int, into: Round) -> None:
        if not self._out_of_time():
            self._uncounted(settling, [])
        if self._out_of_time():
            return
        if self.plan.runs is not None:
            counted = min(counted, self.plan.runs - len(self.walls_s))
        clock, begin = self._clock, self._counted[False]
        rss = self._read_rss()
        wall, process, thread = clock.perf_counter_ns(), clock.process_time_ns(), clock.thread_time_ns()
        calls = [self._calls[(begin + number) % len(self._calls)] for number in range(counted)]
        try:
            self._measure(calls, into.walls_s)
        finally:
            self._counted[False] = begin + len(into.walls_s)
        thread, process = clock.thread_time_ns() - thread, clock.process_time_ns() - process
        # The loop around the calls is work too, which shows when they take less than a microsecond.
        outside = (clock.perf_counter_ns() - wall) / 1e9 - sum(into.walls_s)
        into.thread_s = max(0.0, thread / 1e9 - outside)
        into.process_s = max(0.0, process / 1e9 - outside)
        into.rss_growth_bytes = self._read_rss() - rss

    def _profiled_block(self, counted: int, settling: int, into: Round) -> None:
        for number in range(1 - settling, 1 + counted):
            late = self._out_of_time()
            if (late and not self._lacks_a_profile()) or self.profiler_refused:
                return
            turn = self._counted[True] % len(self._calls)
            if not (number or counted == 1 or late):
                self._measure_profiled(self._calls[turn], ProfiledCalls())
                continue
            if not into.profiled or (turn == 0 and len(self._calls) > 1):
                into.profiled.append(ProfiledCalls())
            made = into.profiled[-1]
            complete = len(made.walls_s)
            try:
                self._measure_profiled(self._calls[turn], made)
            finally:
                if len(made.walls_s) == complete:
                    into.profiled.pop()  # The profiler was refused, or has seen a part of a call.
            self._counted[True] += 1

    def _measure_profiled(self, call: Call, into: ProfiledCalls) -> None:
        clock = self._clock
        profiler = cProfile.Profile() if self._shuts_others_out else into.profiler
        start = clock.perf_counter_ns()
        try:
            profiler.enable()
        except ValueError as error:  # Python 3.12 and later: there can be only one
            self.profiler_refused = str(error)
            return
        if self._shuts_others_out:
            shut_out_other_threads(get_ident(), builtins=True)
            into.apart.append(profiler)
            # What other threads did before, and the line above.
            profiler.clear()
        try:
            call()
        finally:
            profiler.disable()
        into.walls_s.append((clock.perf_counter_ns() - start) / 1e9)

    def _out_of_time(self) -> bool:
        """The time is over; but one unprofiled call is counted whatever the time."""
        if self.plan.runs is not None or self._clock.perf_counter_ns() < self._deadline_ns:
            return False
        return any(round_.walls_s for round_ in self.rounds)

    def _enough_runs(self) -> bool:
        return self.plan.runs is not None and len(self.walls_s) >= self.plan.runs

    def _fulfilled(self) -> bool:
        if self._enough_runs():
            return True
        return self._out_of_time() or (self.plan.runs is None and len(self.rounds) >= MIN_ROUNDS and self.precise())

    def _adopt_warm_up(self) -> None:
        """Count the last warm-up call when there is no time for another one."""
        if self.plan.runs is None and self._clock.perf_counter_ns() >= self._deadline_ns:
            self.rounds.append(Round(walls_s=self.warm_up_s[-1:]))
            self._counted[False] = 1

    def _lacks_a_profile(self) -> bool:
        """Whatever the time, one profiled call is made: where the time goes is what a profile is for."""
        return self.plan.profiled and not self.profiler_refused and not any(round_.profiled for round_ in self.rounds)

    @property
    def gave_up(self) -> bool:
        """The time was over before the median was known as well as asked for."""
        return self.plan.runs is None and self.elapsed_s >= self.plan.max_time_s and not self._is_known()

    @property
    def payloads_counted(self) -> int:
        """How many of the payloads have a counted unprofiled call."""
        return min(len(self._calls), self._counted[False]) if self.walls_s else 0

    def precise(self) -> bool:
        """The median is known as well as the plan asks for, from enough runs."""
        return len(self.walls_s) >= self.plan.min_runs and self._is_known()

    def _is_known(self) -> bool:
        walls_s = self.walls_s
        interval = median_interval(walls_s) if walls_s else None
        return interval is not None and (interval[1] - interval[0]) / 2 <= self.plan.precision * median(walls_s)
