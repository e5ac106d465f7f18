"""Free function times of what cProfile added to them.

cProfile multiplies a call-dense prediction by 2 to 3, and not evenly: a function that makes many small calls is
blamed for the profiler's work on them. What it costs is calibrated on the workload itself, from the profiled and
unprofiled calls of the same run; an empty loop would give a third of it, because it leaves the caches alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from types import CodeType
from typing import NamedTuple

from perfcli.profiling.call_graph import CallGraph
from perfcli.statistics.percentiles import median

CALLEE_SHARE = 0.25
"""Part of the cost of one call that cProfile bills to the callee; the rest lands on the caller.

Entering, it reads the clock last, and leaving, first; so all but about one clock read falls outside of the callee.
Measured 0.18 to 0.30 on Python 3.11 to 3.13, for functions and builtins.
"""

MAX_RELATIVE_WIDTH = 0.5
"""A calibration whose 95 % interval is wider than this, relative to the cost, corrects nothing..."""

NEGLIGIBLE = 0.01
"""...unless all of it is less than this part of the prediction: there is nothing then to be wrong about."""

RESAMPLES = 1000
SWEEPS = 60
BISECTIONS = 12


class Calibration(NamedTuple):
    """Seconds that one profiled function call costs on this workload, with its 95 % confidence interval."""

    seconds_per_call: float
    low: float
    high: float

    @property
    def trustworthy(self) -> bool:
        """There is a cost, and its interval is narrow enough to correct with."""
        return self.low > 0 and self.high - self.low <= MAX_RELATIVE_WIDTH * self.seconds_per_call

    def is_negligible(self, calls: float, prediction_s: float) -> bool:
        """The calls of one prediction cost next to nothing, whichever end of the interval is the truth."""
        return max(abs(self.low), abs(self.high)) * calls <= NEGLIGIBLE * prediction_s


class Corrected(NamedTuple):
    """Self and cumulative seconds of one function, all calls together."""

    self_s: float
    cumulative_s: float


def calibrate(rounds: Sequence[tuple[float, float]], calls_per_prediction: float) -> Calibration | None:
    """Estimate the cost of one profiled call from rounds in which both kinds of prediction were made.

    Args:
        rounds: Of each, the mean or median duration in seconds of its unprofiled, and of its profiled predictions.
        calls_per_prediction: Function calls in one prediction, positive.

    Returns:
        The ratio of the difference to the calls, with a bootstrap over rounds, which keeps what drifts with
        the machine together; None with fewer than three rounds.
    """
    if len(rounds) < 3:
        return None
    costs = [(profiled - plain) / calls_per_prediction for plain, profiled in rounds]
    source = random.Random(0)
    medians = sorted(median(source.choices(costs, k=len(costs))) for _ in range(RESAMPLES))
    return Calibration(median(costs), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES)])


def correct(graph: CallGraph, plain_s: float, profiled_s: float) -> dict[CodeType | str, Corrected]:
    """Return self and cumulative times without the profiler's.

    First all lose alike what other programs took from the profiled predictions, then each what `without_profiler`
    takes. Cumulative times are put together again along the edges of the graph.

    Args:
        graph: Profiled predictions, merged.
        plain_s: Duration of as many predictions without the profiler.
        profiled_s: Duration of as many profiled predictions that nobody disturbed.
    """
    seen_s = sum(node.times.self_s for node in graph.values())
    wanted_s = min(plain_s, seen_s)
    quiet = min(max(profiled_s, wanted_s), seen_s) / seen_s if seen_s else 0.0
    freed = without_profiler(
        [(node.times.self_s * quiet, paid_calls(node.times.calls, node.calls_made)) for node in graph.values()],
        wanted_s,
    )
    own = dict(zip(graph, freed, strict=True))
    kept = _kept_parts(graph, own)
    return {code: Corrected(own[code], node.times.cumulative_s * kept[code]) for code, node in graph.items()}


def paid_calls(received: float, made: float) -> float:
    """Return how many calls a function pays the price of."""
    return CALLEE_SHARE * received + (1 - CALLEE_SHARE) * made


def without_profiler(functions: Sequence[tuple[float, float]], plain_s: float) -> list[float]:
    """Return self times without the profiler's, which add up to those of the unprofiled predictions.

    Calls do not cost alike. Where a few small functions are called over and over, what cProfile knows of them stays in
    the caches, and a call costs 120 ns; where every call is another one, as in pandas, 300 to 500 ns. One price for
    all would take more from the first than all of their time. So the price grows with the time t that a function takes
    for each call it pays for: of t it keeps t / (1 + log(1 + 2 price / t) / 2). Compiled code that takes long for a
    call loses the price and no more, and none of this knows a unit or a constant of a machine.

    Of workloads of stages whose durations are known (pandas rows, forests, texts, small calls, compiled code) the worst
    stage is 1.3 to 2.8 points of its share away in the mean; at one price for all 4.1 to 5.1, uncorrected 5.6 to 7.6
    (Python 3.11 to 3.13, `python -m tests.benchmarks correction`).

    Args:
        functions: Of each, its self time in seconds, and the calls it pays for.
        plain_s: What is to be left of all together.
    """
    seen_s = sum(self_s for self_s, _ in functions)
    calls = sum(calls for _, calls in functions)
    if seen_s <= plain_s or not calls:
        return [self_s for self_s, _ in functions]

    def left_s(price_s: float) -> list[float]:
        return [
            self_s / (1 + math.log1p(2 * price_s * calls / self_s) / 2) if self_s else 0.0
            for self_s, calls in functions
        ]

    # Nobody loses more than the price, so that it is at least what would do if it were one for all.
    price_s, factor = (seen_s - plain_s) / calls, 4.0
    while price_s < 1000 and sum(left_s(price_s * factor)) > plain_s:
        price_s *= factor
    for _ in range(BISECTIONS):
        factor = math.sqrt(factor)
        if sum(left_s(price_s * factor)) > plain_s:
            price_s *= factor
    left = left_s(price_s)
    together_s = sum(left)
    return [self_s * plain_s / together_s for self_s in left]


def _kept_parts(graph: CallGraph, own: dict[CodeType | str, float]) -> dict[CodeType | str, float]:
    """Return for each function the part of its cumulative time that is not the profiler's.

    A function's time is its own plus that of its callees, each of which keeps its own part: a linear system, solved by
    sweeping until it stands. Without recursion the number of sweeps needed is the depth of the calls.
    """
    kept = dict.fromkeys(graph, 1.0)
    rows = []
    for code, node in reversed(graph.items()):
        callees = [(edge.cumulative_s, callee) for callee, edge in node.callees.items() if callee != code]
        rows.append((code, node.times.self_s + sum([seconds for seconds, _ in callees]), callees))
    for _ in range(SWEEPS):
        moved = 0.0
        for code, seen, callees in rows:
            left = own[code] + sum([seconds * kept.get(callee, 1.0) for seconds, callee in callees])
            part = min(1.0, left / seen) if seen else 0.0
            moved = max(moved, abs(part - kept[code]))
            kept[code] = part
        if moved < 1e-5:
            break
    return kept
