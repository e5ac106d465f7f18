"""Whether an SLO is decided before a load run ends, by MLPerf loadgen's binomial bound."""

from __future__ import annotations

from collections.abc import Sequence

from perfcli.records.load import LoadResult
from perfcli.statistics import Decision, decide
from perfcli.verdicts.measuring import latencies, measure
from perfcli.verdicts.slo import Slo

CONFIDENCE = 0.99
_OF_ALL_SECONDS = ("dropped", "late")
"""Arrivals are counted from the start."""


def is_lost(slos: Sequence[Slo], finds_warm_up: bool, result: LoadResult) -> bool:
    """Tell whether one of the SLOs that abort cannot be met any more, from the run so far.

    Args:
        slos: Those that do not abort are passed over.
        finds_warm_up: The end of the warm-up is found by measurement: until it can be, the window holds the warm-up.
        result: The run so far.
    """
    unknown = finds_warm_up and result.window.stable is None
    return any(
        slo.aborts and (not unknown or slo.metric in _OF_ALL_SECONDS) and decide_slo(slo, result) == "fails"
        for slo in slos
    )


def decide_slo(slo: Slo, result: LoadResult) -> Decision | None:
    """Return what the run so far proves of an SLO with an upper limit, or a lower one of the success rate.

    Percentiles and shares of failures are proven either way, at 99 %. A maximum or a count that is above its limit
    stays so. Of everything else, and of an endpoint without requests so far, nothing is known before the end: None.
    """
    part = result.total if slo.endpoint is None else result.endpoints.get(slo.endpoint)
    if part is None or not part.requests:
        return None
    if slo.quantile is not None:
        if slo.operator not in ("<", "<=") or not part.successes:
            return None
        violations = part.successes - latencies(part).count_within(slo.limit)
        return decide(part.successes, violations, 1 - slo.quantile, CONFIDENCE)
    if slo.metric in ("error_rate", "success_rate"):
        allowed = slo.limit if slo.metric == "error_rate" else 1 - slo.limit
        if (slo.metric == "error_rate") == (slo.operator in (">", ">=")):
            return None
        if 0 < allowed < 1:
            return decide(part.requests, part.failures, allowed, CONFIDENCE)
        return "fails" if allowed <= 0 and part.failures else None
    if slo.metric in ("max", "rss", "dropped", "late") and slo.unit != "ratio" and slo.operator not in (">", ">="):
        measured = measure(result, slo).value
        return "fails" if measured is not None and measured > slo.limit else None
    return None
