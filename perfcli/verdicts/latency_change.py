"""By how much the latency changed, for two runs apart from each other and for calls made in turn.

A change is `slower` or `faster` only when the whole interval of the ratio lies beyond the smallest effect that
matters, and a test that assumes no distribution finds a difference too.

Of calls made in turn, both in one turn share the noise of that moment, so that the ratio is taken turn by turn:
the median of these ratios with its exact interval. Measured on a machine with bursts of other work, in which a
prediction takes 2.8 ms at the 25th percentile and 8.3 ms at the 75th, that told a slow-down of 10 % from none in
200 of 200 comparisons of 600 calls, and the ratio of the medians of all calls in 64 of 100.

Two runs apart from each other share nothing. How much the machine drifts between them nobody can see; how much it did
within each is the least that must be expected, and widens the interval. In a load one pause makes many requests slow at
once: how many independent ones they are worth is found at each percentile, and few pauses prove nothing of the p99.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from perfcli.records import Advice, ProfileResult
from perfcli.records.comparison import Change, MetricChange, Turn
from perfcli.records.load import LoadResult
from perfcli.statistics import (
    Distribution,
    compare_shares,
    drift,
    effective_size,
    further_runs,
    holm,
    judge_ratio,
    mann_whitney,
    median,
    median_interval,
    percentile_ratio_interval,
    samples_needed,
    sign_test,
)
from perfcli.units import format_ratio
from perfcli.verdicts.clusters import Seconds, measured_latencies, slow_effect
from perfcli.verdicts.measuring import latencies

CONFIDENCE = 0.95
MIN_SAMPLES = 10
"""Below, neither the bootstrap nor the normal approximation of the rank test means anything."""

FEWEST_OF_PART = samples_needed(0.5)

Changes = tuple[tuple[MetricChange, ...], tuple[Advice, ...]]
_QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Rule:
    """What counts as a change.

    Attributes:
        min_effect: Smallest change of a ratio that matters; positive.
        force: Compare what is not comparable, and say so in the result.
        seed: Of the bootstrap.
    """

    min_effect: float = 0.05
    force: bool = False
    seed: int = 0


def changes_in_turn(turns: Sequence[Turn], rule: Rule) -> Changes:
    """Judge the median by the ratios of the turns, of which there must be some."""
    ratios = [turn.log_ratio for turn in turns]
    base, new = [turn.base_call_s for turn in turns], [turn.new_call_s for turn in turns]
    interval = median_interval(ratios, CONFIDENCE)
    low, high = interval or (min(ratios), max(ratios))
    change = _judge((math.exp(low), math.exp(high)), sign_test(ratios), rule) if interval else "inconclusive"
    metric = MetricChange(
        metric="median",
        base_s=median(base),
        new_s=median(new),
        ratio=math.exp(median(ratios)),
        ci_low=math.exp(low),
        ci_high=math.exp(high),
        p_value=sign_test(ratios),
        change=change,
        further_runs=None,
    )
    return (_with_further_runs(metric, len(turns), rule),), ()


def changes_apart(base: ProfileResult | LoadResult, new: ProfileResult | LoadResult, rule: Rule) -> Changes:
    """Judge the median of two profiles, or the median, p95 and p99 of two loads; both hold samples."""
    sides = _side(base), _side(new)
    wanted = ["median"] if isinstance(base, ProfileResult) else list(_QUANTILES)
    fewest = min(side.latencies.count for side in sides)
    names = [name for name in wanted if name == "median" or fewest >= samples_needed(_QUANTILES[name])]
    # Bonferroni for the intervals and Holm for the tests: all statements together hold with CONFIDENCE.
    confidence = 1 - (1 - CONFIDENCE) / len(names)
    sizes = {name: _sizes(sides, name) for name in names}
    p_values = holm([_test(sides, name, sizes[name]) for name in names])
    metrics = tuple(
        _change(sides, name, sizes[name], confidence, p, rule) for name, p in zip(names, p_values, strict=True)
    )
    return metrics, (*_left_out(wanted, names, fewest), *_advise_on_drift(sides, metrics))


def independent_samples(run: ProfileResult | LoadResult) -> int:
    """Return how many independent samples would fix the median as well as those of the run do; at least one."""
    return _side(run).size


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two runs.

    Attributes:
        latencies: Of its samples.
        calls: Durations of the calls of a profile, in the order they were made; empty for a load.
        size: How many independent samples it is worth to its median.
        drift: How far a part of it lies from all of it, as a ratio of at least 1; None when it is too short to tell.
        seconds: Latencies of the seconds of a load; empty for a profile.
    """

    latencies: Distribution
    calls: tuple[float, ...]
    size: int
    drift: float | None
    seconds: Seconds = ()


def _side(run: ProfileResult | LoadResult) -> _Side:
    if isinstance(run, ProfileResult):
        calls = run.samples_s
        return _Side(Distribution.of(calls), calls, effective_size(calls), drift(calls))
    parts = _parts(run)
    if not parts:
        return _Side(latencies(run.total), (), max(1, min(run.total.successes, FEWEST_OF_PART - 1)), None)
    # Requests of one second share its queue, and are worth no more than the seconds are worth.
    size = round(run.total.successes * effective_size([p50_s for p50_s, _ in parts]) / len(parts))
    return _Side(latencies(run.total), (), max(1, size), drift(_by_requests(parts)), measured_latencies(run))


def _parts(run: LoadResult) -> list[tuple[float, int]]:
    """Return median and successes of the measured seconds in which requests were sent.

    As many seconds are taken together as it takes for a median; of one with fewer successes the mean stands for each
    of them, which is at most six.
    """
    found: list[tuple[float, int]] = []
    waiting: list[float] = []
    for second in run.seconds:
        successes = second.requests - second.failures
        typical_s = second.latency.p50_s if second.latency.p50_s is not None else second.latency.mean_s
        if not second.measured or second.scheduled == 0 or not successes or typical_s is None:
            continue
        waiting += [typical_s] * successes
        if len(waiting) >= FEWEST_OF_PART:
            found.append((median(waiting), len(waiting)))
            waiting = []
    return found


def _by_requests(parts: Sequence[tuple[float, int]]) -> list[float]:
    """Return the median of the part in which each hundredth of the successes ended.

    The last second of a run is cut off, or only waits for the slowest answers: it counts as much as it answers.
    """
    ends = list(accumulate(successes for _, successes in parts))
    return [parts[bisect_right(ends, ends[-1] * number // 100)][0] for number in range(100)]


def _sizes(sides: tuple[_Side, _Side], name: str) -> tuple[int, int]:
    """Return how many independent samples each side is worth to this percentile; at least one."""
    base, new = sides
    ends_s = [side.latencies.percentile(_QUANTILES[name]) for side in sides]
    effect = slow_effect([base.seconds, new.seconds], [*ends_s, sum(ends_s) / 2])
    of_base, of_new = (min(side.size, max(1, round(side.latencies.count / effect))) for side in sides)
    return of_base, of_new


def _test(sides: tuple[_Side, _Side], name: str, sizes: tuple[int, int]) -> float:
    base, new = sides
    if base.calls and new.calls:
        return mann_whitney(base.calls, new.calls)
    # Between the two percentiles, where that of both sides together lies.
    limit = sum(side.latencies.percentile(_QUANTILES[name]) for side in sides) / 2
    within = [side.latencies.count_within(limit) / side.latencies.count for side in sides]
    return compare_shares(within[0], sizes[0], within[1], sizes[1])


def _change(
    sides: tuple[_Side, _Side], name: str, sizes: tuple[int, int], confidence: float, p_value: float, rule: Rule
) -> MetricChange:
    base, new = sides
    q = _QUANTILES[name]
    before, after = base.latencies.percentile(q), new.latencies.percentile(q)
    low, high = percentile_ratio_interval(base.latencies, new.latencies, q, confidence, sizes, rule.seed)
    widening = _widening(sides)
    interval = low / widening, high * widening
    metric = MetricChange(
        metric=name,
        base_s=before,
        new_s=after,
        ratio=after / before,
        ci_low=interval[0],
        ci_high=interval[1],
        p_value=p_value,
        change=_judge(interval, p_value, rule),
        further_runs=None,
    )
    if min(sizes) < MIN_SAMPLES:
        counts = base.latencies.count, new.latencies.count
        lacking = max(math.ceil(count * (MIN_SAMPLES / size - 1)) for count, size in zip(counts, sizes, strict=True))
        return replace(metric, change="inconclusive", further_runs=lacking)
    return _with_further_runs(metric, min(base.latencies.count, new.latencies.count), rule, widening)


def _widening(sides: tuple[_Side, _Side]) -> float:
    return max(side.drift or 1.0 for side in sides)


def _judge(interval: tuple[float, float], p_value: float, rule: Rule) -> Change:
    change = judge_ratio(interval, rule.min_effect)
    return "inconclusive" if change in ("slower", "faster") and p_value > 1 - CONFIDENCE else change


def _with_further_runs(metric: MetricChange, runs: int, rule: Rule, widening: float = 1.0) -> MetricChange:
    if metric.change != "inconclusive":
        return metric
    interval = metric.ci_low, metric.ci_high
    if runs < MIN_SAMPLES or interval[0] == interval[1]:
        return replace(metric, further_runs=max(1, MIN_SAMPLES - runs))
    return replace(metric, further_runs=further_runs(metric.ratio, interval, rule.min_effect, runs, widening))


def _left_out(wanted: Sequence[str], compared: Sequence[str], fewest: int) -> tuple[Advice, ...]:
    return tuple(
        Advice(
            "too_few_samples",
            f"{name} was not compared: it needs {samples_needed(_QUANTILES[name])} samples, and one side has {fewest}.",
            "Measure for longer.",
        )
        for name in wanted
        if name not in compared
    )


def _advise_on_drift(sides: tuple[_Side, _Side], metrics: Sequence[MetricChange]) -> tuple[Advice, ...]:
    if all(metric.change == "same" for metric in metrics):
        return ()
    drifted = "How the machine drifted"
    if all(side.drift is not None for side in sides):
        within = format_ratio(_widening(sides) - 1)
        drifted = f"Within one of them the machine drifted by {within}; what it did"
    return (
        Advice(
            "measured_apart",
            f"The two runs were measured at different times. {drifted} between them cannot be seen.",
            "Measure both in turn: perfcli compare --base TARGET --new TARGET payload.json",
        ),
    )
