"""A sweep for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from perfcli.fitted_table import FittedTable
from perfcli.records.sweep import SweepPoint, SweepResult
from perfcli.reporters.markup import escape, markdown_table, warning_lines
from perfcli.reporters.parts import warning_text
from perfcli.reporters.protocol import View
from perfcli.units import format_count, format_duration, format_rate

WORTH_NAMING = 1.5

_HEADER = ("rows", "threads", "prediction", "95 % interval", "one row", "throughput", "runs")
_DISPENSABLE = (("runs",), ("95 % interval",), ("throughput",))


def sweep_tables(result: SweepResult, _view: View) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a sweep, from top to bottom."""
    yield Text.assemble(
        (result.target.name, "bold"), f"  {result.target.method}\n\n", (f"  {describe_sweep(result)}\n", "bold")
    )
    yield FittedTable(partial(_table, result), _HEADER, _DISPENSABLE)
    yield from map(warning_text, result.warnings)


def sweep_document(result: SweepResult) -> Iterator[str]:
    """Yield the lines of a sweep as Markdown."""
    yield f"## Sweep of {escape(result.target.name)}, {escape(result.target.method)}"
    yield ""
    yield f"**{escape(describe_sweep(result))}**"
    yield ""
    yield from markdown_table(_HEADER, map(_cells, result.points))
    yield from warning_lines(result.warnings)


def describe_sweep(result: SweepResult) -> str:
    """Say the outcome in one or two sentences."""
    interrupted = " Interrupted: partial result." if result.partial else ""
    if result.gain is None:
        return f"Nothing was measured.{interrupted}"
    sizes = sorted({point.batch for point in result.points if point.threads == result.threads})
    if len(sizes) == 1:
        return f"One batch size says nothing about others: name several with --batch 1,8,32.{interrupted}"
    smallest = sizes[0]
    threads = "" if result.threads is None else f" with {format_count(result.threads, 'thread')}"
    loss = _loss(result)
    if result.gain < WORTH_NAMING and loss is not None:
        return f"Batches cost more per row: {loss}{threads}.{interrupted}"
    if result.gain < WORTH_NAMING:
        return f"Batches gain little: a row costs nearly the same in every size.{interrupted}"
    dear = "alone" if smallest == 1 else f"in a batch of {smallest}"
    return (
        f"A row {dear} costs {result.gain:.3g} times what it costs in a batch of {result.recommended}{threads}."
        f" {_knee(result)}{'' if loss is None else f' Larger ones cost more: {loss}.'}{interrupted}"
    )


def _table(result: SweepResult, names: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for point in result.points:
        recommended = point.batch == result.recommended and point.threads == result.threads
        by_name = dict(zip(_HEADER, _cells(point), strict=True))
        table.add_row(*(by_name[name] for name in names), style="green" if recommended else None)
    return table


def _loss(result: SweepResult) -> str | None:
    """Say what a row costs in the largest batch, where that is more than in the best; None where it is not."""
    curve = [point for point in result.points if point.threads == result.threads]
    largest, best = max(curve, key=lambda point: point.batch), min(curve, key=lambda point: point.row_s)
    ratio = largest.row_s / best.row_s
    if ratio < WORTH_NAMING:
        return None
    where = "alone" if best.batch == 1 else f"in a batch of {best.batch}"
    return f"in a batch of {largest.batch} it takes {ratio:.3g} times as long as {where}"


def _knee(result: SweepResult) -> str:
    if result.knee == max(point.batch for point in result.points):
        return f"There is no knee up to {result.knee}."
    return f"The knee is at {result.knee}."


def _cells(point: SweepPoint) -> tuple[str, ...]:
    low, high = point.ci_low_s, point.ci_high_s
    return (
        str(point.batch),
        "-" if point.threads is None else str(point.threads),
        format_duration(point.median_s),
        "-" if low is None or high is None else f"{format_duration(low)} to {format_duration(high)}",
        format_duration(point.row_s),
        format_rate(1 / point.row_s),
        str(point.runs),
    )
