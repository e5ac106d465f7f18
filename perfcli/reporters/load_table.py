"""A load run as tables: headline, endpoints, errors, arrivals, server, warnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from perfcli.fitted_table import FittedTable
from perfcli.records.load import (
    Arrivals,
    EndpointResult,
    ErrorCount,
    LoadDescription,
    LoadedServer,
    LoadResult,
    LoadSecond,
    Quantiles,
)
from perfcli.reporters.parts import NOT_MEASURED, TitledTable, warning_text
from perfcli.reporters.protocol import View
from perfcli.reporters.second_groups import group_seconds
from perfcli.reporters.sparkline import sparkline
from perfcli.reporters.verdict_report import verdict_table
from perfcli.units import format_count, format_duration, format_rate, format_ratio, format_size

TOTAL = "all"
EXAMPLE_LENGTH = 120
ENDPOINT_WIDTH = 10
WIDE = 100
WIDE_ONLY = ("p90", "p99.9")
QUANTILES = ("p50", "p90", "p95", "p99", "p99.9", "max")
ENDPOINT_COLUMNS = ("requests", "failed", "per second", *QUANTILES)
DISPENSABLE = (WIDE_ONLY, ("p95",), ("per second",), ("max",), ("requests",), ("p50",))
"""What goes first where there is no room; that requests failed, and the p99, never do."""
COURSE_NAME = 12


def load_tables(result: LoadResult, view: View) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a load run, from top to bottom.

    Args:
        result: The run.
        view: Its `top` bounds the rows of the table of endpoints.
    """
    yield _headline(result)
    yield _EndpointTable(result, view.top)
    if result.errors:
        yield _errors(result.errors)
    if result.server is not None and result.server.timings:
        yield _timings(result.server.timings)
    if result.arrivals is not None:
        yield from _arrivals(result.arrivals, result.total)
    yield _Course(result.seconds)
    for warning in result.warnings:
        yield warning_text(warning)
    if result.diagnosis is not None:
        yield Text(result.diagnosis, style="bold")
    yield from verdict_table(result.verdicts)


def describe_load(description: LoadDescription) -> str:
    """Say in a few words which load was asked for."""
    if description.shape is not None:
        load = f"shape {description.shape}"
    elif description.rate_rps is not None:
        load = f"{description.rate_rps:g} {description.arrivals} arrivals per second"
    else:
        load = format_count(description.users or 0, "user")
    length = "" if description.duration_s is None else f" for {format_duration(description.duration_s)}"
    bound = "" if description.requests is None else f", {format_count(description.requests, 'request')}"
    return f"{load}{length}{bound}"


def describe_run(description: LoadDescription) -> str:
    """Say in a line what is loaded, and how."""
    return f"{description.url}  {describe_load(description)}"


def quantile_cells(quantiles: Quantiles) -> list[str]:
    """Return p50 p90 p95 p99 p99.9 max as text."""
    values = (quantiles.p50_s, quantiles.p90_s, quantiles.p95_s, quantiles.p99_s, quantiles.p99_9_s, quantiles.max_s)
    return [NOT_MEASURED if value is None else format_duration(value) for value in values]


def endpoint_rows(result: LoadResult, top: int) -> Iterator[list[str]]:
    """Yield a row per endpoint, the busiest first, the sum of all of them last."""
    endpoints = sorted(result.endpoints.items(), key=lambda item: -item[1].requests)
    for name, endpoint in endpoints[:top]:
        yield _endpoint_row(name, endpoint)
    if len(endpoints) > top:
        yield [f"({len(endpoints) - top} more)", *[""] * 9]
    if len(endpoints) > 1:
        yield _endpoint_row(TOTAL, result.total)


def _headline(result: LoadResult) -> Text:
    description, window, generator = result.description, result.window, result.generator
    load = describe_load(description)
    text = Text()
    text.append(description.url, style="bold")
    if result.partial:
        text.append("  interrupted: partial result", style="bold yellow")
    text.append("\n\n")
    facts: Mapping[str, str | None] = {
        "load": load if load.endswith(description.scenario) else f"{load}, {description.scenario}",
        "window": f"{format_duration(window.elapsed_s)} after {format_duration(window.warm_up_s)} of warm-up, "
        + {True: "steady", False: "not steady", None: "steadiness unknown"}[window.stable],
        "generator": f"{generator.verdict}{_generator_details(result)}",
        "server": None if result.server is None else _server(result.server),
    }
    for name, value in facts.items():
        if value:
            text.append(f"  {name:<10}", style="cyan").append(f"{value}\n")
    return text


def _generator_details(result: LoadResult) -> str:
    generator = result.generator
    parts = [
        "" if generator.cpu_ratio is None else f"{format_ratio(generator.cpu_ratio)} of a core",
        "" if generator.floor_s is None else f"its own share of a latency {format_duration(generator.floor_s)}",
        f"{generator.processes} processes" if generator.processes > 1 else "",
    ]
    return "".join(f", {part}" for part in parts if part)


def _server(server: LoadedServer) -> str:
    parts = []
    if server.processes is not None and server.cpu_ratio is not None:
        processes = format_count(server.processes, "process", "processes")
        parts.append(f"{processes}, {server.cpu_ratio:.2f} cores")
    if server.rss_bytes is not None:
        parts.append(f"RSS {format_size(server.rss_bytes)}")
    if server.threads is not None:
        parts.append(format_count(server.threads, "thread"))
    if server.counted is not None:
        requests = format_count(server.counted.server_requests, "request")
        parts.append(f"counted {requests}, the client {server.counted.client_requests}")
    return ", ".join(parts)


class _EndpointTable:
    """The table of endpoints; where it is too narrow for all columns, some are left out rather than any cut."""

    def __init__(self, result: LoadResult, top: int):
        self._rows = [(row, "") for row in endpoint_rows(result, top)]
        if result.total.failures:
            failed = quantile_cells(result.total.failure_latency)
            self._rows.append((["failures", "", "", "", *failed], "red"))

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        shown = [name for name in ENDPOINT_COLUMNS if name not in WIDE_ONLY or options.max_width >= WIDE]
        yield FittedTable(self._table, shown, DISPENSABLE)
        if len(shown) < len(ENDPOINT_COLUMNS):
            yield Text(f"  {' and '.join(WIDE_ONLY)} need {WIDE} columns; every file (-o) has them.", "dim")

    def _table(self, names: Sequence[str]) -> Table:
        table = TitledTable("Latency of the successes by endpoint")
        table.add_column("endpoint", overflow="fold", min_width=ENDPOINT_WIDTH)
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for (endpoint, *cells), style in self._rows:
            by_name = dict(zip(ENDPOINT_COLUMNS, cells, strict=True))
            table.add_row(endpoint, *(by_name[name] for name in names), style=style)
        return table


def _endpoint_row(name: str, endpoint: EndpointResult) -> list[str]:
    rate = NOT_MEASURED if endpoint.throughput_rps is None else format_rate(endpoint.throughput_rps)
    return [name, str(endpoint.requests), str(endpoint.failures), rate, *quantile_cells(endpoint.latency)]


def _errors(errors: Iterable[ErrorCount]) -> Table:
    table = TitledTable("Failures of the whole run")
    table.add_column("kind", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("for example", overflow="fold")
    for error in errors:
        table.add_row(error.kind, str(error.count), error.example[:EXAMPLE_LENGTH])
    return table


def _arrivals(arrivals: Arrivals, total: EndpointResult) -> Iterator[RenderableType]:
    rows = {"response": total.latency, "service": total.service, "sent late by": arrivals.lag}

    def make(names: Sequence[str]) -> Table:
        table = TitledTable("Response time counts from when a request was due, service time from when it was sent")
        table.add_column("", no_wrap=True)
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for label, quantiles in rows.items():
            by_name = dict(zip(QUANTILES, quantile_cells(quantiles), strict=True))
            table.add_row(label, *(by_name[name] for name in names))
        return table

    yield FittedTable(make, QUANTILES, DISPENSABLE)
    yield Text(
        f"{format_count(arrivals.scheduled, 'arrival')}: {arrivals.sent} sent, {arrivals.late} of them more than 1 ms"
        f" late, {arrivals.dropped} dropped{describe_tasks(arrivals)}\n"
    )


def describe_tasks(arrivals: Arrivals) -> str:
    """Say what tasks sent beyond one request for each arrival, or did not; empty when each sent one."""
    words = ""
    if arrivals.silent:
        words += f", {arrivals.silent} whose task sent nothing"
    if arrivals.further:
        words += f"; {format_count(arrivals.further, 'further request')}"
    return words


def _timings(timings: Mapping[str, float]) -> Table:
    table = TitledTable("The server's own account of these requests")
    table.add_column("metric", overflow="fold")
    table.add_column("mean", justify="right", no_wrap=True)
    for name, seconds in timings.items():
        table.add_row(name, format_duration(seconds))
    return table


class _Course:
    """One line per figure over the whole run, as wide as there is room for; what was not measured leaves a gap."""

    def __init__(self, seconds: Sequence[LoadSecond]):
        self._seconds = seconds

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        # Beside the rate of a last second of a few milliseconds all others would be flat.
        groups = group_seconds(self._seconds, len(self._seconds) or 1)
        longest = [max(group, key=lambda second: second.elapsed_s) for group in groups]
        text = Text()
        lines: dict[str, list[float | None]] = {
            "requests": [
                sum(second.requests for second in group) / sum(second.elapsed_s for second in group) for group in groups
            ],
            "slowest": [
                max((second.latency.max_s for second in group if second.latency.max_s is not None), default=None)
                for group in groups
            ],
            "in flight": [float(second.in_flight) for second in longest],
            "server CPU": [second.server_cpu_ratio for second in longest],
        }
        width = max(1, options.max_width - COURSE_NAME - 2)
        for name, values in lines.items():
            if len(groups) > 1 and any(value is not None for value in values):
                text.append(f"  {name:<{COURSE_NAME}}", style="cyan").append(f"{sparkline(values, width)}\n")
        yield text
