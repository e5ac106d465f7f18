"""A search for capacity for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from perfcli.fitted_table import FittedTable
from perfcli.records.capacity import CapacityResult, Probe, WorkerSetting
from perfcli.reporters.markup import escape, markdown_table, warning_lines
from perfcli.reporters.parts import NOT_MEASURED, warning_text
from perfcli.reporters.protocol import View
from perfcli.reporters.sparkline import sparkline
from perfcli.units import format_count, format_duration, format_load, format_mean, format_rate, format_ratio

STYLES = {"holds": None, "fails": "red", "generator-bound": "yellow", "disturbed": "yellow", "inconclusive": "yellow"}

_HEADER = ("load", "answered", "errors", "p50", "p95", "p99", "in flight", "L / λW", "measured", "SLOs")

_DISPENSABLE = (("in flight", "L / λW", "measured"), ("errors",), ("p99",), ("p50",))

_SETTINGS = ("workers", "holds", "less than", "times the first", "")


def capacity_tables(result: CapacityResult, _view: View) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a search, from top to bottom."""
    text = Text()
    text.append(result.url, style="bold").append(f"\n\n  {describe_capacity(result)}\n\n", style="bold")
    for name, value in _facts(result):
        text.append(f"  {name:<10}", style="cyan").append(f"{value}\n")
    yield text
    if result.settings:
        settings = _table(_SETTINGS)
        for setting in result.settings:
            chosen = setting.workers == result.workers
            settings.add_row(*_setting_cells(setting, result), style="bold" if chosen else None)
        yield settings
    for title, probes in _searches(result):
        yield _probe_table(title, [(_cells(probe, result), STYLES[probe.outcome]) for probe in probes])
    yield from map(warning_text, result.warnings)


def _probe_table(title: str | None, rows: Sequence[tuple[tuple[str, ...], str | None]]) -> FittedTable:
    def make(names: Sequence[str]) -> Table:
        table = _table(names, title)
        for cells, style in rows:
            by_name = dict(zip(_HEADER, cells, strict=True))
            table.add_row(*(by_name[name] for name in names), style=style)
        return table

    return FittedTable(make, _HEADER, _DISPENSABLE)


def capacity_document(result: CapacityResult) -> Iterator[str]:
    """Yield the lines of a search as Markdown."""
    yield f"## Capacity of {escape(result.url)}"
    yield ""
    yield f"**{escape(describe_capacity(result))}**"
    yield ""
    yield from (f"- {name}: {escape(value)}" for name, value in _facts(result))
    yield ""
    if result.settings:
        yield from markdown_table(_SETTINGS, (_setting_cells(setting, result) for setting in result.settings))
    for title, probes in _searches(result):
        yield from ("", f"### {title}", "") if title else ()
        yield from markdown_table(_HEADER, (_cells(probe, result) for probe in probes))
    yield from warning_lines(result.warnings)


def describe_capacity(result: CapacityResult) -> str:
    """Say the outcome in one sentence."""
    interrupted = " Interrupted: partial result." if result.partial else ""
    is_sure = result.outcome in ("found", "below")
    known = result.capacity if result.workers is None or result.capacity is not None else result.held
    if known is None:
        where = "" if result.workers is None or not is_sure else f" with {_workers(result.workers)}"
        return f"No capacity{where}: {result.reason}.{interrupted}"
    below = "" if result.upper is None else f", and less than {_load(result.upper, result)}"
    least = "" if result.capacity is not None else "at least "
    holds = f"It holds {least}{_load(known, result)}{below}.{interrupted}"
    if result.workers is None:
        return holds
    if is_sure:
        # An interrupted comparison has not seen what the other numbers of workers hold.
        return holds if result.partial else f"Worth it: {_workers(result.workers)}. {holds}"
    return f"Worth it as far as is known: {_workers(result.workers)}. {holds} Not sure: {result.reason}."


def _facts(result: CapacityResult) -> Iterator[tuple[str, str]]:
    yield "SLOs", "; ".join(result.slos)
    if result.knee is not None:
        yield "knee", f"the median latency has doubled above {_load(result.knee, result)}"
    curve = sorted(result.probes, key=lambda probe: probe.load)
    if len(curve) > 1:
        yield "latency", f"{sparkline([probe.p95_s for probe in curve])}  p95 over the load"
    if any(probe.littles_ratio is not None for probe in _all_probes(result)):
        yield "L / λW", "in flight over rate times latency, by Little's law 1"


def _searches(result: CapacityResult) -> Iterator[tuple[str | None, Sequence[Probe]]]:
    if not result.settings:
        yield None, result.probes
    for setting in result.settings:
        yield _workers(setting.workers), setting.probes


def _all_probes(result: CapacityResult) -> list[Probe]:
    return [probe for _, probes in _searches(result) for probe in probes]


def _setting_cells(setting: WorkerSetting, result: CapacityResult) -> tuple[str, ...]:
    fewest, least = result.settings[0].capacity, "" if setting.capacity is not None else "at least "
    worth = setting.workers == result.workers and setting.held is not None and not result.partial
    return (
        str(setting.workers),
        f"{least}{_load(setting.held, result)}" if setting.held is not None else NOT_MEASURED,
        _load(setting.upper, result) if setting.upper is not None else NOT_MEASURED,
        f"{setting.capacity / fewest:.2f}" if setting.capacity is not None and fewest else NOT_MEASURED,
        ", ".join(["worth it"] * worth + [setting.outcome] * (not worth or bool(least))),
    )


def _workers(count: int) -> str:
    return format_count(count, "worker")


def _table(columns: Sequence[str], title: str | None = None) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(probe: Probe, result: CapacityResult) -> tuple[str, ...]:
    return (
        _load(probe.load, result),
        NOT_MEASURED if probe.throughput_rps is None else format_rate(probe.throughput_rps),
        NOT_MEASURED if probe.error_ratio is None else format_ratio(probe.error_ratio),
        *(NOT_MEASURED if each is None else format_duration(each) for each in (probe.p50_s, probe.p95_s, probe.p99_s)),
        NOT_MEASURED if probe.in_flight is None else format_mean(probe.in_flight),
        NOT_MEASURED if probe.littles_ratio is None else f"{probe.littles_ratio:.2f}",
        format_duration(probe.elapsed_s),
        probe.outcome,
    )


def _load(load: float, result: CapacityResult) -> str:
    return format_load(load, result.by)
