"""What a sweep says: the knee, the batch worth using, and threads that get in each other's way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from perfcli.records.profile import Advice
from perfcli.records.sweep import SweepPoint
from perfcli.units import format_ratio

KNEE = 2.0
NEARLY_BEST = 1.1
OVERSUBSCRIBED = 1.03


class Recommendation(NamedTuple):
    """What to use.

    Attributes:
        knee: Smallest batch whose row takes at most twice as long as the cheapest.
        batch: Smallest batch whose row takes at most a tenth longer than the cheapest.
        threads: Number of threads that both are of; None when threads were left as they are.
        gain: Time of a row in the smallest batch over that in the recommended one.
    """

    knee: int
    batch: int
    threads: int | None
    gain: float


def recommend(points: Sequence[SweepPoint]) -> Recommendation:
    """Choose among the points of a sweep, of which there must be some.

    Raises:
        ValueError: There are no points.
    """
    if not points:
        raise ValueError("no recommendation from no points")
    # Of two numbers of threads that cost nearly the same the smaller leaves the cores to others.
    cheapest_s = min(point.row_s for point in points)
    near = [point for point in points if point.row_s <= cheapest_s * OVERSUBSCRIBED]
    threads = min((point.threads for point in near), key=lambda count: count or 0)
    curve = sorted((point for point in points if point.threads == threads), key=lambda point: point.batch)
    best_s = min(point.row_s for point in curve)
    knee = next(point for point in curve if point.row_s <= KNEE * best_s)
    chosen = next(point for point in curve if point.row_s <= NEARLY_BEST * best_s)
    return Recommendation(knee.batch, chosen.batch, threads, curve[0].row_s / chosen.row_s)


def advise_on_threads(points: Sequence[SweepPoint], cpus: int) -> tuple[Advice, ...]:
    """Say where more threads make it slower, which is what too many for the cores do.

    A number of threads is named when at some batch size the whole interval of its median lies above that of a smaller
    number, by more than 3 %.
    """
    worst: dict[int, tuple[float, SweepPoint, SweepPoint]] = {}
    for many in points:
        for few in points:
            if many.batch != few.batch or (many.threads or 0) <= (few.threads or 0):
                continue
            ratio = (many.ci_low_s or many.median_s) / (few.ci_high_s or few.median_s)
            if ratio > max(OVERSUBSCRIBED, worst.get(many.threads or 0, (0.0,))[0]):
                worst[many.threads or 0] = ratio, few, many
    return tuple(
        Advice(
            "oversubscribed" if threads > cpus else "threads_do_not_help",
            f"{threads} threads make a batch of {many.batch} at least {format_ratio(ratio - 1)} slower than"
            f" {few.threads} on {cpus} processors.",
            f"Set OMP_NUM_THREADS={few.threads} and OPENBLAS_NUM_THREADS={few.threads}.",
        )
        for threads, (ratio, few, many) in sorted(worst.items())
    )
