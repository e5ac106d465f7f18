"""A profile as tables: headline, stages, phases, functions, what the server says, warnings, and the log line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import orjson
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from perfcli.records import FunctionTime, LatencySummary, Phase, ProfileResult, ServerView, Stage
from perfcli.records.profile_codec import encode_metrics
from perfcli.reporters.call_tree import FoldedTree
from perfcli.reporters.histogram import histogram_line
from perfcli.reporters.parts import NOT_MEASURED, SELF_MEDIAN, TitledTable, client_side, warning_text
from perfcli.reporters.protocol import View
from perfcli.reporters.verdict_report import verdict_table
from perfcli.units import format_count, format_duration, format_ratio, format_size

WIDE = 120
BARRED = 80
BAR_WIDTH = 6
HISTOGRAM_WIDTH = 50


def profile_tables(result: ProfileResult, view: View) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a profile, from top to bottom."""
    yield _headline(result)
    if result.phases:
        yield _phases(result.phases)
    elif result.stages:
        yield _stages(result.stages)
    if result.server is not None:
        yield from _server(result.server, view)
    if result.functions:
        yield _FunctionTable(result.functions, _functions_title(result, view), view)
    if view.tree and result.call_tree:
        yield FoldedTree(result.call_tree)
    yield from map(warning_text, result.warnings)
    yield from verdict_table(result.verdicts)
    metrics = result.performance_metrics()
    if metrics is not None:
        line: dict[str, object] = encode_metrics(metrics)
        of_server = result.server is not None and result.server.metrics is not None
        if result.target.kind == "remote":
            line["measured_by"] = "server" if of_server else "client"
        if metrics.top_functions:
            # Other than the durations, those of the functions can be what cProfile saw; a server's always are.
            line["functions_corrected"] = result.overhead.corrected and not of_server
        yield orjson.dumps({"performance_metrics": line}).decode()


def _headline(result: ProfileResult) -> Text:
    target = result.target
    text = Text()
    text.append(f"{target.name}", style="bold").append(f"  {target.method}")
    text.append(f"  {format_count(target.payloads, 'payload')}, {format_count(target.rows, 'row')}")
    if result.partial:
        text.append("  interrupted: partial result", style="bold yellow")
    text.append("\n\n")
    if result.latency is None:
        return text.append("  Nothing was measured before the interruption.\n")
    facts = dict(_facts(result, result.latency))
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        text.append(f"  {name:<{width}}", style="cyan").append(f"{value}\n")
    return text


def _facts(result: ProfileResult, latency: LatencySummary) -> Iterator[tuple[str, str]]:
    interval = ""
    if latency.ci_low_s is not None and latency.ci_high_s is not None:
        interval = f"95 % interval {format_duration(latency.ci_low_s)} to {format_duration(latency.ci_high_s)}"
    yield "median", _spaced(format_duration(latency.median_s), interval, format_count(latency.runs, "run"))
    if len(result.samples_s) > 1:
        yield "calls", f"{histogram_line(result.samples_s, HISTOGRAM_WIDTH)}  fastest to slowest"
    yield (
        "spread",
        _spaced(
            f"min {format_duration(latency.min_s)}",
            f"p95 {_duration(latency.p95_s)}",
            f"p99 {_duration(latency.p99_s)}",
            f"max {format_duration(latency.max_s)}",
        ),
    )
    if result.cpu is not None:
        thread, process = format_duration(result.cpu.thread_s), format_duration(result.cpu.process_s)
        yield f"{client_side(result)}CPU", _spaced(f"{thread} in the calling thread", f"{process} in the process")
    if result.memory is not None:
        memory = result.memory
        peak = NOT_MEASURED if memory.peak_bytes is None else format_size(memory.peak_bytes)
        growth = format_size(memory.delta_bytes)
        sizes = _spaced(f"RSS {format_size(memory.rss_bytes)}", f"growth per call {growth}", f"peak {peak}")
        yield f"{client_side(result)}memory", sizes
    if result.cold_start_s is not None:
        loading = "" if result.load_s is None else f"importing and loading {format_duration(result.load_s)}"
        yield "cold", _spaced(f"first call {format_duration(result.cold_start_s)}", loading)


def _stages(stages: Sequence[Stage]) -> Table:
    table = TitledTable("Stages, unprofiled")
    table.add_column("stage", overflow="fold")
    for name in (SELF_MEDIAN, "share", "calls"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for stage in stages:
        table.add_row(
            stage.name,
            format_duration(stage.median_s),
            format_ratio(stage.share),
            f"{stage.calls:g}",
            _bar(stage.share),
        )
    return table


def _phases(phases: Sequence[Phase]) -> Table:
    table = TitledTable("The exchange as the client sees it")
    table.add_column("phase")
    for name in ("first request", "warm median"):
        table.add_column(name, justify="right", no_wrap=True)
    for phase in phases:
        table.add_row(phase.name, _duration(phase.cold_s), _duration(phase.median_s))
    return table


def _server(server: ServerView, view: View) -> Iterator[RenderableType]:
    if server.timings:
        table = TitledTable("The server's own account (Server-Timing)")
        table.add_column("metric")
        table.add_column("median", justify="right", no_wrap=True)
        for name, seconds in server.timings.items():
            table.add_row(name, format_duration(seconds))
        yield table
    if server.functions:
        # A record names five functions, chosen by cumulative time: by another order they would mislead.
        title = "The server's functions by cumulative time, per prediction that has them among its five; rare ones last"
        yield _FunctionTable(server.functions, title, replace(view, sort="cumulative"), server.profiled)


def _functions_title(result: ProfileResult, view: View) -> str:
    side = "Client functions" if result.target.kind == "remote" else "Functions"
    ratio = "" if result.overhead.ratio is None else f"x{max(1.0, result.overhead.ratio):.1f} under cProfile, "
    corrected = "taken off" if result.overhead.corrected else "not taken off"
    return f"{side} by {view.sort} time ({ratio}{corrected})"


class _FunctionTable:
    """The table of functions: the place in the source stands beside the name, or below it where that is too narrow."""

    def __init__(self, functions: Iterable[FunctionTime], title: str, view: View, profiled: int = 0):
        self._sort = view.sort
        self._profiled = profiled
        ordered = sorted(functions, key=lambda function: (not self._is_rare(function), self._time_s(function)))
        self._functions = ordered[::-1][: view.top]
        self._title = title

    def _time_s(self, function: FunctionTime) -> float:
        return function.cumulative_s if self._sort == "cumulative" else function.self_s

    def _is_rare(self, function: FunctionTime) -> bool:
        # What one record out of many names was slow once: it does not come before what most of them name.
        return function.records is not None and 2 * function.records < self._profiled

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        beside, barred = options.max_width >= WIDE, options.max_width >= BARRED
        table = TitledTable(self._title)
        table.add_column("function", overflow="fold")
        names = ["self", "share", "cumulative", "calls", *(["in"] if self._profiled else [])]
        # The bar stands beside what the functions are sorted by.
        bar_at = 3 if self._sort == "cumulative" else 2
        if barred:
            names.insert(bar_at, "")
        for name in names:
            table.add_column(name, justify="right" if name else "left", no_wrap=True)
        if beside:
            table.add_column("where", overflow="fold")
        most = max((self._time_s(function) for function in self._functions), default=0.0)
        for function in self._functions:
            row: list[RenderableType] = [
                format_duration(function.self_s),
                format_ratio(function.share),
                format_duration(function.cumulative_s),
                f"{function.calls:.3g}" if function.calls < 100 else f"{function.calls:.0f}",
                *([f"{function.records}/{self._profiled}"] if self._profiled else []),
            ]
            if barred:
                row.insert(bar_at, _bar(self._time_s(function) / most, BAR_WIDTH) if most else "")
            place = f"{function.file}:{function.line}" if function.file else f"called by {function.called_by}"
            where = Text(place, style="dim")
            label = Text(function.function)
            table.add_row(*([label, *row, where] if beside else [label.append("\n  ").append_text(where), *row]))
        yield table


def _duration(seconds: float | None) -> str:
    return NOT_MEASURED if seconds is None else format_duration(seconds)


def _bar(share: float, width: int = 20) -> Text:
    return Text("█" * round(max(0.0, min(1.0, share)) * width), style="blue")


def _spaced(*parts: str) -> str:
    return "   ".join(part for part in parts if part)
