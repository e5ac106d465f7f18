"""What cProfile costs per call, so that a record can say what its own profile cost.

The best source are the neighbours: predictions of the same block that were not profiled. Where there are none, because
every prediction is profiled, a prediction is measured both ways before the first request, if there is an example of
one; that finds the true cost within 5 %. Else standard-library code is measured both ways: on pandas and scikit-learn
that finds about four fifths of the true cost (an empty loop: half of it).
"""

from __future__ import annotations

import inspect
import math
import statistics
import threading
from dataclasses import dataclass
from time import thread_time_ns
from types import CodeType
from typing import TYPE_CHECKING, Literal

from perfcli.monitor.deep import DeepProfile, NotProfiledError
from perfcli.monitor.functions import count_calls

if TYPE_CHECKING:
    from collections.abc import Callable

Source = Literal["neighbours", "calibration"]

# Fewer tell nothing of the scatter.
_FEWEST = 8
# A cost that is not known better than this, as two standard errors relative to it, is not known.
_WIDEST = 0.2
# Old predictions fade after so many, because traffic changes.
_MEMORY = 500


@dataclass(frozen=True, slots=True)
class CallCost:
    """What one profiled call costs.

    Attributes:
        ns: CPU time it adds.
        source: Where that is known from.
    """

    ns: float
    source: Source


class CallCosts:
    """Learns the cost per call of each block, from CPU time, which other threads do not disturb."""

    def __init__(self) -> None:
        # By identity: to hash a code object is to read all of it, which takes longer than the rest of a measurement.
        self._blocks: dict[int, _Neighbours] = {}
        self._calibrated: CallCost | None = None

    def calibrate(self, predict: Callable[[], object]) -> None:
        """Measure the cost on a real prediction, made some sixty times; nothing changes where it cannot be profiled."""
        self._calibrated = _measure(predict, rounds=6, settling=3, calls=4) or self._calibrated

    def observe_plain(self, block: CodeType, cpu_ns: int) -> None:
        """Take note of a prediction that was not profiled, and not slowed by the profile of another one."""
        self._of(block).plain.add(cpu_ns)

    def observe_deep(self, block: CodeType, cpu_ns: int, calls: int) -> None:
        """Take note of a profiled prediction."""
        neighbours = self._of(block)
        neighbours.deep.add(cpu_ns)
        neighbours.calls.add(calls)

    def of(self, block: CodeType) -> CallCost | None:
        """Return the cost in one block; None while nothing is known."""
        return self._of(block).cost() or self._calibrated or _calibration.cost

    def _of(self, block: CodeType) -> _Neighbours:
        neighbours = self._blocks.get(id(block))
        if neighbours is None:
            neighbours = self._blocks[id(block)] = _Neighbours(block)
        return neighbours


class _Neighbours:
    """The predictions of one block, and its code, so that the identity stays its own."""

    __slots__ = ("block", "calls", "deep", "plain")

    def __init__(self, block: CodeType) -> None:
        self.block = block
        self.plain = _Mean()
        self.deep = _Mean()
        self.calls = _Mean()

    def cost(self) -> CallCost | None:
        if min(self.plain.count, self.deep.count) < _FEWEST or not self.calls.mean:
            return None
        added_ns = self.deep.mean - self.plain.mean
        two_errors_ns = 2 * math.sqrt(self.plain.error_squared + self.deep.error_squared)
        if added_ns <= 0 or two_errors_ns > _WIDEST * added_ns:
            return None
        return CallCost(added_ns / self.calls.mean, "neighbours")


class _Mean:
    """Mean and its standard error, of recent values."""

    __slots__ = ("count", "mean", "variance")

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.variance = 0.0

    def add(self, value: float) -> None:
        # West's update with a weight that never falls below 1 / _MEMORY.
        self.count = min(self.count + 1, _MEMORY)
        weight = 1 / self.count
        distance = value - self.mean
        self.mean += weight * distance
        self.variance = (1 - weight) * (self.variance + weight * distance * distance)

    @property
    def error_squared(self) -> float:
        return self.variance / (self.count - 1)


class _Calibration:
    cost: CallCost | None = None


_calibration = _Calibration()


def calibrate() -> None:
    """Measure the cost per call on standard-library code, once in a process; takes about ten milliseconds.

    Nothing is known afterwards when another profiler is active, or requests leave no moment for it.
    """
    if _calibration.cost is None:
        _calibration.cost = _measure(_work, rounds=15, settling=0, calls=1)


def _measure(work: Callable[[], object], rounds: int, settling: int, calls: int) -> CallCost | None:
    """Compare unprofiled and profiled calls, so many of each in turn, by their quicker halves' middle.

    A machine that is busy with something else makes some of them slower, and none faster.
    """
    plain_ns, profiled_ns, counted = [], [], 0
    try:
        for _ in range(rounds):
            # What ran before, a profile above all, slows the first ones.
            for _ in range(settling):
                work()
            plain_ns += [_cpu_ns(work) for _ in range(calls)]
            for _ in range(calls):
                cpu_ns, counted = _profiled(work)
                profiled_ns.append(cpu_ns)
    except NotProfiledError:
        return None
    added_ns = _lower_quartile(profiled_ns) - _lower_quartile(plain_ns)
    return CallCost(added_ns / counted, "calibration") if counted and added_ns > 0 else None


def _lower_quartile(values: list[int]) -> float:
    return statistics.quantiles(values, n=4)[0]


def _profiled(work: Callable[[], object]) -> tuple[int, int]:
    profile = DeepProfile(None)
    profile.reserve()
    try:
        profile.start()
        cpu_ns = _cpu_ns(work)
    finally:
        profile.end()
    return cpu_ns, count_calls(profile.read())


def _cpu_ns(work: Callable[[], object]) -> int:
    started_ns = thread_time_ns()
    work()
    return thread_time_ns() - started_ns


def _work() -> None:
    """Call small functions, in Python and in C, of several modules: the nearest thing to pandas there is on board."""
    for function in 5 * (inspect.signature, inspect.getsource, statistics.quantiles, threading.Thread.start):
        inspect.signature(function)
