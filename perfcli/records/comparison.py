"""The result of `perfcli compare`: whether one run is slower than another, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from perfcli.records.call_tree import CallNode
from perfcli.records.profile import Advice

Change = Literal["slower", "faster", "same", "inconclusive"]
FailureTrend = Literal["more", "not more", "inconclusive"]
Part = Literal["stage", "phase", "function", "endpoint"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What was timed at about the same moment, on both sides.

    Attributes:
        base_s: Durations of the one, at least one; positive.
        new_s: Durations of the other, at least one; positive.
        payloads: How many different payloads they are of, on both sides one after the other and then the first again.
    """

    base_s: tuple[float, ...]
    new_s: tuple[float, ...]
    payloads: int = 1

    @property
    def base_call_s(self) -> float:
        """A call of the one: the median, or of several payloads the mean of their medians."""
        return self._mean_of_medians(self.base_s)

    @property
    def new_call_s(self) -> float:
        """A call of the other, likewise."""
        return self._mean_of_medians(self.new_s)

    @property
    def log_ratio(self) -> float:
        """Logarithm of `new_call_s` over `base_call_s`: 0 when both are the same."""
        return math.log(self.new_call_s / self.base_call_s)

    def _mean_of_medians(self, durations_s: Sequence[float]) -> float:
        # Where the time was over before every payload had its turn, of those that had it on both sides.
        known = min(self.payloads, len(self.base_s), len(self.new_s))
        return fmean(median(durations_s[payload :: self.payloads]) for payload in range(known))


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One side of a comparison.

    Attributes:
        name: Of the target or the URL, secrets masked.
        kind: `profile` or `load`.
        source: File, target or revision it came from, as the user named it.
        started_at: Moment of its start, UTC, ISO 8601.
        git_revision: Commit it was measured at; None outside a checkout.
        samples: Calls or successful requests.
        independent_samples: How many independent samples these are worth; fewer when neighbours in time are alike.
    """

    name: str
    kind: str
    source: str
    started_at: str
    git_revision: str | None
    samples: int
    independent_samples: int


@dataclass(frozen=True, slots=True)
class MetricChange:
    """How one percentile of the latency changed.

    Attributes:
        metric: `median`, `p95` or `p99`.
        base_s: In the base; measured in turn, the median over the turns of `base_call_s`.
        new_s: In the new run, likewise.
        ratio: New over base; measured in turn, the median over the turns.
        ci_low: Lower end of the confidence interval of the ratio; wider when several metrics are compared.
        ci_high: Upper end of it.
        p_value: Of there being no difference, corrected for the number of metrics: by the rank test for the medians
            of profiles, the test of shares for the percentiles of loads, the sign test for turns.
        change: What follows.
        further_runs: Estimate of the samples, or turns, that each side lacks; None when the change is settled, or when
            no number would settle it: too near to the smallest effect, or a machine that drifts.
    """

    metric: str
    base_s: float
    new_s: float
    ratio: float
    ci_low: float
    ci_high: float
    p_value: float
    change: Change
    further_runs: int | None


@dataclass(frozen=True, slots=True)
class FailureChange:
    """How the share of the requests that failed changed.

    Attributes:
        base_ratio: Failures over requests of the base, from 0 to 1.
        new_ratio: The same in the new run.
        p_value: Of there being no difference, by the test of shares; failures that come together count as fewer.
        change: `inconclusive` when so many more failed that it would matter, and chance may have done it.
    """

    base_ratio: float
    new_ratio: float
    p_value: float
    change: FailureTrend


@dataclass(frozen=True, slots=True)
class Movement:
    """A part that takes more or less time than before.

    Attributes:
        part: What kind of part it is.
        name: Of the stage, phase or endpoint; of a function with its file.
        base_s: Of a stage or function its share of the call times the median of the call, 0 when it did not run; of a
            phase or endpoint its median.
        new_s: The same in the new run.
    """

    part: Part
    name: str
    base_s: float
    new_s: float

    @property
    def difference_s(self) -> float:
        """Time it takes longer; negative when it became shorter."""
        return self.new_s - self.base_s


@dataclass(frozen=True, slots=True)
class CallChange:
    """A place in the call tree of the new run, and what the same path took in the base.

    Attributes:
        node: The place; its times are scaled to the median that is compared.
        base_s: Time in it and in what it calls in the base, scaled in the same way; 0 when it did not run there.
    """

    node: CallNode
    base_s: float

    @property
    def difference_s(self) -> float:
        """Time it takes longer; negative when it became shorter."""
        return self.node.cumulative_s - self.base_s


@dataclass(frozen=True, slots=True)
class BothDistributions:
    """How long the calls of either side took, counted in the same classes of equal width.

    Attributes:
        low_s: Begin of the first class.
        high_s: End of the last; what took longer is in none.
        base: Calls of the base in each class.
        new: Calls of the new run in each class.
    """

    low_s: float
    high_s: float
    base: tuple[int, ...]
    new: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything a comparison found out; every report is made from this alone.

    Attributes:
        base: What is compared with.
        new: What is judged.
        turns: Of both measured in turn within one run, so that drift of the machine hit both; empty for two runs.
        min_effect: Smallest change of a ratio that matters, such as 0.05.
        confidence: Of all intervals together.
        metrics: The median first.
        change: Of all metrics together: `slower` when any is or when more requests fail, else `inconclusive` when any
            is, else `faster` when any is.
        moved: Parts, the largest difference first.
        differences: What the runs do not share although a comparison needs it; empty unless that was forced.
        warnings: What the reader should know.
        partial: One of the runs was interrupted.
        call_tree: Places of the new run, in the order `CallNode` says; empty when one of the runs has no call tree.
        distributions: Of the durations; None in records of before these were kept.
        failures: Of two loads; None for profiles, and in records of before these were compared.
    """

    base: ComparedRun
    new: ComparedRun
    turns: tuple[Turn, ...]
    min_effect: float
    confidence: float
    metrics: tuple[MetricChange, ...]
    change: Change
    moved: tuple[Movement, ...]
    differences: tuple[str, ...]
    warnings: tuple[Advice, ...]
    partial: bool
    call_tree: tuple[CallChange, ...] = ()
    distributions: BothDistributions | None = None
    failures: FailureChange | None = None
