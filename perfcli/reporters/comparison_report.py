"""A comparison for a terminal and for Markdown that fits a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from perfcli.records.comparison import Comparison, FailureChange, MetricChange, Movement
from perfcli.reporters.markup import escape, markdown_table, warning_lines
from perfcli.reporters.parts import warning_text
from perfcli.reporters.protocol import View
from perfcli.units import (
    format_change,
    format_count,
    format_difference,
    format_duration,
    format_quantity,
    format_ratio,
)

STYLES = {"slower": "bold red", "faster": "green", "same": "bold", "inconclusive": "yellow"}
MARKDOWN_PARTS = 20

_FAILURE_STYLES = {"more": "bold red", "not more": None, "inconclusive": "yellow"}
_METRICS = ("latency", "base", "new", "change", "95 % interval", "verdict")
_PARTS = ("what moved", "", "base", "new", "difference")


def comparison_tables(comparison: Comparison, view: View) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a comparison, from top to bottom."""
    text = Text()
    text.append(describe_comparison(comparison), style=STYLES[comparison.change]).append("\n\n")
    for name, value in _facts(comparison):
        text.append(f"  {name:<10}", style="cyan").append(f"{value}\n")
    yield text
    table = _table(_METRICS)
    for metric in comparison.metrics:
        table.add_row(*_metric_cells(metric), style=STYLES[metric.change] if metric.change != "same" else None)
    if comparison.failures is not None and has_failures(comparison.failures):
        table.add_row(*failure_cells(comparison.failures), style=_FAILURE_STYLES[comparison.failures.change])
    yield table
    if comparison.moved:
        moved = _table(_PARTS)
        for movement in comparison.moved[: view.top]:
            moved.add_row(*_movement_cells(movement))
        yield moved
    yield from map(warning_text, comparison.warnings)


def comparison_document(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of a comparison as Markdown."""
    yield f"## {escape(describe_comparison(comparison))}"
    yield ""
    yield from (f"- {name}: {escape(value)}" for name, value in _facts(comparison))
    yield ""
    rows = [*map(_metric_cells, comparison.metrics)]
    if comparison.failures is not None and has_failures(comparison.failures):
        rows.append(failure_cells(comparison.failures))
    yield from markdown_table(_METRICS, rows)
    if comparison.moved:
        yield ""
        yield from markdown_table(_PARTS, map(_movement_cells, comparison.moved[:MARKDOWN_PARTS]))
    yield from warning_lines(comparison.warnings)


def describe_comparison(comparison: Comparison) -> str:
    """Say the outcome in one sentence."""
    interrupted = " Interrupted: partial result." if comparison.partial else ""
    changes = {metric.change for metric in comparison.metrics}
    failures = "" if comparison.failures is None else _describe_failures(comparison.failures)
    if failures and comparison.change not in changes:
        return f"{failures}{interrupted}"
    if comparison.change == "inconclusive":
        runs = [metric.further_runs for metric in comparison.metrics if metric.further_runs is not None]
        more = "more samples would not tell"
        if runs:
            needed = format_count(max(runs), "more turn" if comparison.turns else "more sample")
            more = f"about {needed} on each side would tell"
        return f"Inconclusive: {more}.{interrupted}"
    if comparison.change == "same":
        return f"No change of {format_ratio(comparison.min_effect)} or more.{interrupted}"
    worst = next(metric for metric in comparison.metrics if metric.change == comparison.change)
    of_which = "" if worst is comparison.metrics[0] else f" at the {worst.metric}"
    latency = f"{comparison.change.capitalize()} by {format_ratio(abs(worst.ratio - 1))}{of_which}."
    return f"{latency}{f' {failures}' if failures else ''}{interrupted}"


def has_failures(failures: FailureChange) -> bool:
    """Tell whether there is anything to show."""
    return failures.base_ratio > 0 or failures.new_ratio > 0


def failure_cells(failures: FailureChange) -> tuple[str, ...]:
    """Return the cells of the shares of failed requests below those of the latencies."""
    shares = (format_quantity(ratio, "ratio") for ratio in (failures.base_ratio, failures.new_ratio))
    return ("failed", *shares, "", "", failures.change)


def _describe_failures(failures: FailureChange) -> str:
    if failures.change == "not more":
        return ""
    base, new = (format_quantity(ratio, "ratio") for ratio in (failures.base_ratio, failures.new_ratio))
    if failures.change == "more":
        return f"More requests fail: {new}, and {base} before."
    return f"Inconclusive: {new} of the requests failed, and {base} before, which may be chance."


def _facts(comparison: Comparison) -> Iterator[tuple[str, str]]:
    for name, run in (("base", comparison.base), ("new", comparison.new)):
        revision = "" if run.git_revision is None else f", revision {run.git_revision[:12]}"
        target = "" if run.source == run.name else f" ({run.name})"
        yield name, f"{run.source}{target}, {format_count(run.samples, 'sample')}{revision}"
    if comparison.turns:
        yield "measured", f"in {format_count(len(comparison.turns), 'turn')} within one run"
    if comparison.differences:
        yield "forced", f"the runs differ in {'; '.join(comparison.differences)}"


def _metric_cells(metric: MetricChange) -> tuple[str, ...]:
    return (
        metric.metric,
        format_duration(metric.base_s),
        format_duration(metric.new_s),
        format_change(metric.ratio),
        f"{format_change(metric.ci_low)} to {format_change(metric.ci_high)}",
        metric.change,
    )


def _movement_cells(movement: Movement) -> tuple[str, ...]:
    return (
        movement.name,
        movement.part,
        format_duration(movement.base_s),
        format_duration(movement.new_s),
        format_difference(movement.difference_s),
    )


def _table(columns: tuple[str, ...]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, name in enumerate(columns):
        if number == 0:
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right", no_wrap=True)
    return table
