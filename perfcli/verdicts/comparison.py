"""Two results to a comparison: did the latency change by more than matters, and which part of it moved?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perfcli.errors import ExitCode, MeasurementError
from perfcli.records import ProfileResult
from perfcli.records.comparison import Change, ComparedRun, Comparison, FailureChange, MetricChange, Turn
from perfcli.records.load import LoadResult
from perfcli.verdicts.both_distributions import both_distributions
from perfcli.verdicts.comparability import check_comparable
from perfcli.verdicts.latency_change import CONFIDENCE, Rule, changes_apart, changes_in_turn, independent_samples
from perfcli.verdicts.load_evidence import compare_failures, doubts
from perfcli.verdicts.movements import confirmed, find_movements
from perfcli.verdicts.tree_changes import compare_trees

MIN_SHARE = 0.005
"""Of the median of the base: a part that moved by less is noise in any case."""


def compare(
    base: ProfileResult | LoadResult,
    new: ProfileResult | LoadResult,
    rule: Rule,
    *,
    sources: tuple[str, str],
    turns: Sequence[Turn] = (),
    again: tuple[ProfileResult, ProfileResult] | None = None,
) -> Comparison:
    """Compare two results of the same kind.

    Args:
        base: What is compared with.
        new: What is judged.
        rule: What counts as a change.
        sources: Files, targets or revisions the two came from, as the user named them.
        turns: What was timed in turn, when it was; the results then say only where the time goes.
        again: The two once more, where there was the time: what did not move in these too is not named.

    Raises:
        UsageError: The results are not comparable, and that is not forced.
        MeasurementError: One of them holds no samples.
    """
    differences = check_comparable(base, new, force=rule.force)
    for run, source in zip((base, new), sources, strict=True):
        if not turns and not (run.total.successes if isinstance(run, LoadResult) else run.samples_s):
            raise MeasurementError(f"{source} holds no samples.", "Measure it again.")
    metrics, warnings = changes_in_turn(turns, rule) if turns else changes_apart(base, new, rule)
    failures = None
    if isinstance(base, LoadResult) and isinstance(new, LoadResult):
        failures = compare_failures(base, new, rule.min_effect, 1 - CONFIDENCE)
        for certain, doubt in doubts(base, new):
            metrics = tuple(_doubted(metric, certain) for metric in metrics)
            warnings = (*warnings, doubt)
    # Of what was timed in turn the ratio is better known than the two medians are.
    medians_s = (metrics[0].base_s, metrics[0].base_s * metrics[0].ratio)
    smallest_s = _noise(metrics[0], rule) * medians_s[0]
    moved = find_movements(base, new, medians_s, smallest_s)
    if again is not None:
        moved = confirmed(moved, find_movements(*again, medians_s, smallest_s))
    return Comparison(
        base=_describe(base, sources[0], [turn.base_s for turn in turns]),
        new=_describe(new, sources[1], [turn.new_s for turn in turns]),
        turns=tuple(turns),
        min_effect=rule.min_effect,
        confidence=CONFIDENCE,
        metrics=metrics,
        change=_overall(metrics, failures),
        moved=moved,
        differences=differences,
        warnings=warnings,
        partial=base.partial or new.partial,
        call_tree=compare_trees(base, new, medians_s),
        distributions=both_distributions(base, new, turns),
        failures=failures,
    )


def exit_code(comparison: Comparison, fail_if: Sequence[Change]) -> ExitCode:
    """Return what the process ends with: failed for a change in `fail_if`, inconclusive where one may hide."""
    if comparison.change in fail_if:
        return ExitCode.FAILED
    return ExitCode.INCONCLUSIVE if fail_if and comparison.change == "inconclusive" else ExitCode.OK


def _describe(run: ProfileResult | LoadResult, source: str, turns: Sequence[Sequence[float]]) -> ComparedRun:
    if isinstance(run, LoadResult):
        name, kind, samples = run.description.url, "load", run.total.successes
    else:
        name, kind, samples = run.target.name, "profile", len(run.samples_s)
    return ComparedRun(
        name=name,
        kind=kind,
        source=source,
        started_at=run.started_at,
        git_revision=run.environment.git_revision,
        samples=sum(map(len, turns)) or samples,
        independent_samples=len(turns) or independent_samples(run),
    )


def _noise(median: MetricChange, rule: Rule) -> float:
    """Return the share of the median latency by which a part may seem to move by chance.

    No part is known better than the whole; and where the whole did not move, a part that moved by less than matters
    is none that anybody looks for.
    """
    unsure = (median.ci_high - median.ci_low) / 2
    return max(MIN_SHARE, unsure, rule.min_effect if median.change in ("same", "inconclusive") else 0.0)


def _doubted(metric: MetricChange, certain: Change | None) -> MetricChange:
    """Take back what is doubtful; more samples of such runs would not tell."""
    return metric if metric.change == certain else replace(metric, change="inconclusive", further_runs=None)


def _overall(metrics: Sequence[MetricChange], failures: FailureChange | None) -> Change:
    changes = {metric.change for metric in metrics}
    if failures is not None and failures.change != "not more":
        changes.add("slower" if failures.change == "more" else "inconclusive")
    for change in ("slower", "inconclusive", "faster"):
        if change in changes:
            return change
    return "same"
