"""A comparison for a terminal and for Markdown that fits a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from perfcli.records.comparison import Comparison, MetricChange, Movement
from perfcli.reporters.markup import escape, markdown_table, warning_lines
from perfcli.reporters.parts import warning_text
from perfcli.reporters.protocol import View
from perfcli.units import format_change, format_count, format_difference, format_duration, format_ratio

STYLES = {"slower": "bold red", "faster": "green", "same": "bold", "inconclusive": "yellow"}
MARKDOWN_PARTS = 20

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
    yield from markdown_table(_METRICS, map(_metric_cells, comparison.metrics))
    if comparison.moved:
        yield ""
        yield from markdown_table(_PARTS, map(_movement_cells, comparison.moved[:MARKDOWN_PARTS]))
    yield from warning_lines(comparison.warnings)


def describe_comparison(comparison: Comparison) -> str:
    """Say the outcome in one sentence."""
    interrupted = " Interrupted: partial result." if comparison.partial else ""
    median = comparison.metrics[0]
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
    of_which = "" if worst is median else f" at the {worst.metric}"
    return f"{comparison.change.capitalize()} by {format_ratio(abs(worst.ratio - 1))}{of_which}.{interrupted}"


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
