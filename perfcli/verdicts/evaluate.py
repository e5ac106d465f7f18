"""SLOs and the record of a run to verdicts, and verdicts to an exit code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from perfcli.errors import ExitCode
from perfcli.records import Outcome, ProfileResult, SloVerdict
from perfcli.records.load import LoadResult
from perfcli.statistics import decide
from perfcli.units import format_beside
from perfcli.verdicts.early import CONFIDENCE, decide_slo
from perfcli.verdicts.measuring import Measured, measure, measure_with_dropped
from perfcli.verdicts.slo import Slo


def evaluate(
    result: ProfileResult | LoadResult,
    slos: Sequence[Slo],
    *,
    allow_few: bool = False,
    allow_late: bool = False,
) -> tuple[SloVerdict, ...]:
    """Say of each SLO whether the run keeps it.

    No samples is a failure: a service that answers nothing keeps no promise. Fewer samples than a percentile needs, a
    metric that was not measured, and a generator that could not keep up are inconclusive, never a pass. So few samples
    may still prove that the limit is broken, whatever the percentile is: that is a failure. A latency or a share of
    failures that only holds because arrivals were dropped is inconclusive, too.

    Args:
        result: The record of a run, partial or not.
        slos: Checked with `check_measurable` before the run.
        allow_few: Judge a percentile from fewer samples than it needs.
        allow_late: Judge although the generator could not keep up.

    Raises:
        UsageError: This kind of run does not measure the metric of an SLO.
    """
    fault = "" if allow_late else _generator_fault(result)
    found = [(slo, measure(result, slo)) for slo in slos]
    verdicts = (
        _judge(slo, measured, fault, allow_few or (_has_few(measured) and _is_lost(slo, result)))
        for slo, measured in found
    )
    return tuple(_count_dropped(verdict, slo, result) for verdict, slo in zip(verdicts, slos, strict=True))


def exit_code(verdicts: Sequence[SloVerdict]) -> ExitCode:
    """Return what the process ends with: a failure outweighs what is inconclusive."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if "fail" in outcomes:
        return ExitCode.FAILED
    return ExitCode.INCONCLUSIVE if "inconclusive" in outcomes else ExitCode.OK


def _judge(slo: Slo, measured: Measured, generator_fault: str, allow_few: bool) -> SloVerdict:
    outcome, reason = _outcome(slo, measured, generator_fault, allow_few)
    return SloVerdict(
        slo=slo.text,
        metric=slo.metric,
        endpoint=slo.endpoint,
        operator=slo.operator,
        limit=slo.limit,
        measured=measured.value,
        unit=slo.unit,
        margin=None if measured.value is None else _margin(slo, measured.value),
        samples=measured.samples,
        samples_needed=measured.needed,
        outcome=outcome,
        reason=reason,
    )


def _outcome(slo: Slo, measured: Measured, generator_fault: str, allow_few: bool) -> tuple[Outcome, str]:
    value = measured.value
    if measured.samples == 0:
        return "fail", f"no samples: {measured.missing}"
    if value is None:
        return "inconclusive", measured.missing
    if generator_fault:
        return "inconclusive", generator_fault
    if _has_few(measured) and not allow_few:
        return "inconclusive", f"{slo.metric} needs {measured.needed} samples, and there are {measured.samples}"
    if slo.holds(value):
        return "pass", ""
    return "fail", f"{slo.metric} is {format_beside(value, slo.limit, slo.unit)}"


def _count_dropped(verdict: SloVerdict, slo: Slo, result: ProfileResult | LoadResult) -> SloVerdict:
    """Take back a pass that does not survive the arrivals that were never sent."""
    worst = measure_with_dropped(result, slo) if verdict.outcome == "pass" else None
    if worst is None or slo.holds(worst) or isinstance(result, ProfileResult) or result.arrivals is None:
        return verdict
    what = "what they took is unknown"
    if math.isfinite(worst):
        what = f"with these it is {format_beside(worst, slo.limit, slo.unit)}"
    dropped, scheduled = result.arrivals.dropped_of_window
    reason = f"{dropped} of {scheduled} arrivals were dropped: {what}"
    return replace(verdict, outcome="inconclusive", reason=reason)


def _has_few(measured: Measured) -> bool:
    return measured.needed is not None and measured.samples < measured.needed


def _is_lost(slo: Slo, result: ProfileResult | LoadResult) -> bool:
    if isinstance(result, LoadResult):
        return decide_slo(slo, result) == "fails"
    if slo.quantile is None or slo.operator not in ("<", "<=") or not result.samples_s:
        return False
    violations = sum(not slo.holds(sample_s) for sample_s in result.samples_s)
    return decide(len(result.samples_s), violations, 1 - slo.quantile, CONFIDENCE) == "fails"


def _margin(slo: Slo, value: float) -> float | None:
    if slo.limit == 0:
        return None
    room = (value - slo.limit) / slo.limit
    if slo.operator == "==":
        return -abs(room)
    return room if slo.operator in (">", ">=") else -room


def _generator_fault(result: ProfileResult | LoadResult) -> str:
    if isinstance(result, ProfileResult) or result.generator.verdict == "trustworthy":
        return ""
    return f"the generator could not keep up: {'; '.join(result.generator.reasons)}"
