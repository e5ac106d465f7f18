"""Whether an SLO is decided before a load run ends, by MLPerf loadgen's binomial bound.

The bound takes requests for throws of a coin. A run is given up only for what one pause cannot have done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from perfcli.records.load import EndpointResult, LoadResult
from perfcli.statistics import Decision, decide
from perfcli.verdicts.clusters import failure_effect, measured_latencies, slow_effect
from perfcli.verdicts.measuring import latencies, measure
from perfcli.verdicts.slo import Slo

CONFIDENCE = 0.99
FEWEST_SECONDS = 5
"""Measured seconds of which a pause can be told from a service that is always so."""
FEWEST_VIOLATIONS = 5
"""Independent ones: two pauses are no more than chance, whatever the bound says of throws as few as they are worth."""
_OF_ALL_SECONDS = ("dropped", "late")
"""Arrivals are counted from the start."""


def is_lost(slos: Sequence[Slo], finds_warm_up: bool, result: LoadResult) -> bool:
    """Tell whether one of the SLOs that abort cannot be met any more, from the run so far.

    A percentile or a share of failures is lost when more requests violate it than all that are planned allow, or when
    it still is proven to fail with the design effect of pauses, over some seconds.

    Args:
        slos: Those that do not abort are passed over.
        finds_warm_up: The end of the warm-up is found by measurement: until it can be, the window holds the warm-up.
        result: The run so far.
    """
    unknown = finds_warm_up and result.window.stable is None
    return any(
        slo.aborts and (not unknown or slo.metric in _OF_ALL_SECONDS) and _is_hopeless(slo, result) for slo in slos
    )


def decide_slo(slo: Slo, result: LoadResult) -> Decision | None:
    """Return what the run so far proves of an SLO with an upper limit, or a lower one of the success rate.

    Percentiles and shares of failures are proven either way, at 99 %. A maximum or a count that is above its limit
    stays so. Of everything else, and of an endpoint without requests so far, nothing is known before the end: None.
    """
    part = _part(slo, result)
    if part is None or not part.requests:
        return None
    trials = _trials(slo, part)
    if trials is not None:
        return decide(*trials, CONFIDENCE)
    if slo.metric in ("error_rate", "success_rate"):
        return "fails" if _limits_failures(slo) and _allowed(slo) <= 0 and part.failures else None
    if slo.metric in ("max", "rss", "dropped", "late") and slo.unit != "ratio" and slo.operator not in (">", ">="):
        measured = measure(result, slo).value
        return "fails" if measured is not None and measured > slo.limit else None
    return None


class _Trials(NamedTuple):
    """Requests, those of them that violate the SLO, and the share that may."""

    requests: int
    violations: int
    allowed_ratio: float


def _trials(slo: Slo, part: EndpointResult) -> _Trials | None:
    """Return what the requests say of a percentile or a share of failures; None for any other SLO."""
    if slo.quantile is not None:
        if slo.operator not in ("<", "<=") or not part.successes:
            return None
        violations = part.successes - latencies(part).count_within(slo.limit)
        return _Trials(part.successes, violations, 1 - slo.quantile)
    if not _limits_failures(slo) or not 0 < _allowed(slo) < 1:
        return None
    return _Trials(part.requests, part.failures, _allowed(slo))


def _limits_failures(slo: Slo) -> bool:
    at_least = slo.operator in (">", ">=")
    return slo.metric == ("success_rate" if at_least else "error_rate")


def _allowed(slo: Slo) -> float:
    return slo.limit if slo.metric == "error_rate" else 1 - slo.limit


def _part(slo: Slo, result: LoadResult) -> EndpointResult | None:
    return result.total if slo.endpoint is None else result.endpoints.get(slo.endpoint)


def _is_hopeless(slo: Slo, result: LoadResult) -> bool:
    if decide_slo(slo, result) != "fails":
        return False
    part = _part(slo, result)
    trials = None if part is None else _trials(slo, part)
    if part is None or trials is None:
        return True
    planned = _planned_requests(result)
    if (
        planned is not None
        and trials.violations > trials.allowed_ratio * planned * part.requests / result.total.requests
    ):
        return True
    if sum(second.measured for second in result.seconds) < FEWEST_SECONDS:
        return False
    # The seconds do not tell one endpoint from another: what makes its requests slow at once does so to all.
    effect = failure_effect(result) if slo.quantile is None else slow_effect([measured_latencies(result)], [slo.limit])
    requests, violations = (math.floor(count / effect) for count in (trials.requests, trials.violations))
    proven = decide(requests, violations, trials.allowed_ratio, CONFIDENCE) == "fails"
    return proven and violations >= FEWEST_VIOLATIONS


def _planned_requests(result: LoadResult) -> float | None:
    """Return how many requests the measured window will have at most; None where the service decides that."""
    asked = result.description
    bounds = [] if asked.requests is None else [float(asked.requests)]
    due = sum(second.scheduled or 0 for second in result.seconds if second.measured)
    if asked.rate_rps is not None and asked.duration_s is not None and result.window.elapsed_s > 0:
        # What falls due, not the rate: a task may send several requests.
        bounds.append(due / result.window.elapsed_s * (asked.duration_s - result.window.warm_up_s))
    return min(bounds, default=None)
