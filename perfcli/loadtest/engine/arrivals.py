"""When requests of the open loop are due: exact times, computed, not accumulated by sleeping."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, count, islice, repeat

from perfcli.loadtest.plan import Plan, Segment


def schedule(plan: Plan, index: int, processes: int) -> Iterator[int]:
    """Return the start of every arrival of one process, in nanoseconds after the start of the run.

    Every process computes the arrivals of all from the same seed and takes every `processes`th, so that together
    they make the very sequence that one would.
    """
    return islice(_all(plan), index, None, processes)


def users_at(segments: Sequence[Segment], elapsed_s: float) -> int:
    """Return how many users a shape asks for; after its end, as many as at its end."""
    for segment in segments:
        if elapsed_s < segment.duration_s:
            return round(segment.start + (segment.end - segment.start) * elapsed_s / segment.duration_s)
        elapsed_s -= segment.duration_s
    return round(segments[-1].end)


def length_s(plan: Plan) -> float | None:
    """Return how long the plan lasts; None when time does not end it."""
    return sum(segment.duration_s for segment in plan.shape) if plan.shape else plan.duration_s


def budget_s(plan: Plan) -> float | None:
    """Return when the arrival after the last one of the budget would be due; None when its end is not that of the run.

    So many arrivals at a rate take so many gaps; up to the last of them there is one less.
    """
    if plan.requests is None or not plan.open_loop:
        return None
    after_ns = next(islice(_unbounded(plan), plan.requests, None), None)
    return None if after_ns is None else after_ns / 1e9


def _all(plan: Plan) -> Iterator[int]:
    starts = _unbounded(plan)
    return islice(starts, plan.requests) if plan.requests is not None else starts


def _unbounded(plan: Plan) -> Iterator[int]:
    segments = plan.shape or (Segment(plan.rate or 0.0, plan.rate or 0.0, plan.duration_s or math.inf),)
    return _starts(segments, _expected(plan))


def _expected(plan: Plan) -> Iterator[float]:
    """Yield the expected number of arrivals up to and including each one.

    Constant: 0, 1, 2... Poisson: sums of exponential variates of mean 1, which the inverse of the integrated rate
    turns into a Poisson process of that rate (Cinlar 1975, "Introduction to Stochastic Processes", chapter 4.7).
    """
    if plan.arrivals == "constant":
        return map(float, count())
    chance = random.Random(plan.seed)
    return accumulate(chance.expovariate(1.0) for _ in repeat(None))


def _starts(segments: Sequence[Segment], expected: Iterator[float]) -> Iterator[int]:
    """Invert the integral of the rate, piece by piece."""
    begin_s, before = 0.0, 0.0
    pending = next(expected)
    for segment in segments:
        area = (segment.start + segment.end) / 2 * segment.duration_s
        while pending - before < area:
            yield round((begin_s + _inverse(segment, pending - before)) * 1e9)
            pending = next(expected)
        begin_s += segment.duration_s
        before += area


def _inverse(segment: Segment, wanted: float) -> float:
    """Solve start * t + slope * t^2 / 2 = wanted, in the form that also holds for slope 0."""
    slope = (segment.end - segment.start) / segment.duration_s
    root = math.sqrt(max(0.0, segment.start * segment.start + 2 * slope * wanted))
    return 2 * wanted / (segment.start + root) if wanted else 0.0
