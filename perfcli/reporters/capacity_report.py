"""A search for capacity for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from perfcli.records.capacity import CapacityResult, Probe
from perfcli.reporters.markup import escape, markdown_table
from perfcli.reporters.protocol import View
from perfcli.reporters.sparkline import sparkline
from perfcli.units import format_duration, format_rate, format_ratio

STYLES = {"holds": None, "fails": "red", "generator-bound": "yellow", "inconclusive": "yellow"}
NOT_MEASURED = "-"

_HEADER = ("load", "answered", "errors", "p50", "p95", "p99", "in flight", "L / λW", "measured", "SLOs")


def capacity_tables(result: CapacityResult, _view: View) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a search, from top to bottom."""
    text = Text()
    text.append(result.url, style="bold").append(f"\n\n  {describe_capacity(result)}\n\n", style="bold")
    for name, value in _facts(result):
        text.append(f"  {name:<10}", style="cyan").append(f"{value}\n")
    yield text
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in _HEADER:
        table.add_column(name, justify="right", no_wrap=True)
    for probe in result.probes:
        table.add_row(*_cells(probe, result), style=STYLES[probe.outcome])
    yield table
    for warning in result.warnings:
        yield Text.assemble(("! ", "bold yellow"), warning.message, (f"\n  {warning.hint}", "dim"))


def capacity_document(result: CapacityResult) -> Iterator[str]:
    """Yield the lines of a search as Markdown."""
    yield f"## Capacity of {escape(result.url)}"
    yield ""
    yield f"**{escape(describe_capacity(result))}**"
    yield ""
    yield from (f"- {name}: {escape(value)}" for name, value in _facts(result))
    yield ""
    yield from markdown_table(_HEADER, (_cells(probe, result) for probe in result.probes))
    for warning in result.warnings:
        yield ""
        yield f"> {escape(warning.message)} {escape(warning.hint)}".rstrip()


def describe_capacity(result: CapacityResult) -> str:
    """Say the outcome in one sentence."""
    interrupted = " Interrupted: partial result." if result.partial else ""
    if result.capacity is None:
        return f"No capacity: {result.reason}.{interrupted}"
    below = "" if result.upper is None else f", and less than {_load(result.upper, result)}"
    return f"It holds {_load(result.capacity, result)}{below}.{interrupted}"


def _facts(result: CapacityResult) -> Iterator[tuple[str, str]]:
    yield "SLOs", "; ".join(result.slos)
    if result.knee is not None:
        yield "knee", f"the median latency has doubled above {_load(result.knee, result)}"
    curve = sorted(result.probes, key=lambda probe: probe.load)
    if len(curve) > 1:
        yield "latency", f"{sparkline([probe.p95_s for probe in curve])}  p95 over the load"


def _cells(probe: Probe, result: CapacityResult) -> tuple[str, ...]:
    return (
        _load(probe.load, result),
        NOT_MEASURED if probe.throughput_rps is None else format_rate(probe.throughput_rps),
        NOT_MEASURED if probe.error_ratio is None else format_ratio(probe.error_ratio),
        *(NOT_MEASURED if each is None else format_duration(each) for each in (probe.p50_s, probe.p95_s, probe.p99_s)),
        NOT_MEASURED if probe.in_flight is None else f"{probe.in_flight:.1f}",
        NOT_MEASURED if probe.littles_ratio is None else f"{probe.littles_ratio:.2f}",
        format_duration(probe.elapsed_s),
        probe.outcome,
    )


def _load(load: float, result: CapacityResult) -> str:
    return format_rate(load) if result.by == "rate" else f"{load:g} users"
