"""The result of `perfcli sweep`: what a row costs in batches of several sizes, with several numbers of threads."""

from __future__ import annotations

from dataclasses import dataclass

from perfcli.records.environment import Environment
from perfcli.records.profile import Advice, TargetDescription


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One batch size with one number of threads.

    Attributes:
        batch: Rows of one prediction.
        threads: Threads that each native pool (BLAS, OpenMP) may use; None when they were left as they are.
        median_s: Median duration of one prediction; where batches hold different rows, over rounds in each of which all
            rows are equally often, of the mean of the round.
        ci_low_s: Lower end of the 95 % interval of the median; None when there are too few runs.
        ci_high_s: Upper end of it.
        runs: Number of predictions.
    """

    batch: int
    threads: int | None
    median_s: float
    ci_low_s: float | None
    ci_high_s: float | None
    runs: int

    @property
    def row_s(self) -> float:
        """Time per row."""
        return self.median_s / self.batch


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Everything a sweep found out; every report is made from this alone.

    Attributes:
        target: What was measured; its rows are those the batches are made of.
        environment: Where.
        started_at: Moment of the start, UTC, ISO 8601.
        points: By number of threads, then by batch size.
        knee: Smallest batch whose row takes at most twice as long as the cheapest; None when nothing was measured.
        recommended: Smallest batch whose row takes at most a tenth longer than the cheapest.
        threads: Number of threads that these two are of, the fastest; None when threads were left as they are.
        gain: Time of a row in the smallest batch over that in the recommended one.
        warnings: What the reader should know.
        partial: The sweep was interrupted.
    """

    target: TargetDescription
    environment: Environment
    started_at: str
    points: tuple[SweepPoint, ...]
    knee: int | None
    recommended: int | None
    threads: int | None
    gain: float | None
    warnings: tuple[Advice, ...]
    partial: bool
