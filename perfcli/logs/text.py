"""Log records and their summary for a person at a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO, cast

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table

from perfcli.fitted_table import FittedTable
from perfcli.logs.entry import Record
from perfcli.logs.summary import LogSummary, Spread, metrics_of
from perfcli.table_width import table_width
from perfcli.units import format_count, format_duration, format_rate, format_size, from_mebibytes, from_milliseconds

_NOT_MEASURED = "-"
_LABEL_WIDTH = 12
_SPREAD = ("samples", "mean", "p50", "p90", "p95", "p99", "max")
_DISPENSABLE_OF_SPREAD = (("p90",), ("p95",), ("mean",), ("max",), ("samples",))
_FUNCTION = ("function", "where", "predictions", "calls", "self", "with callees")
_LABELS = ("function", "where")
_DISPENSABLE_OF_FUNCTION = (("predictions",), ("calls",), ("where",))
_ELSEWHERE = "with --json"


def describe(record: Record) -> str:
    """Write one record in one line: when, level, request, and the metrics or else the message."""
    document = orjson.loads(record.line)
    moment = (
        f"{record.timestamp[:23]}Z" if len(record.timestamp) > len("2026-01-31T12:00:00.000Z") else record.timestamp
    )
    request = document.get("transaction_id") or _NOT_MEASURED
    metrics = metrics_of(record)
    text = str(document.get("message") or "") if metrics is None else _metrics(metrics)
    return _printable(f"{moment}  {document.get('level') or _NOT_MEASURED!s:<7}  {request}  {text}")


def as_line(record: Record) -> str:
    """Return the JSON line a record is, without its end."""
    return record.line.decode().rstrip()


def as_document(records: Sequence[Record]) -> str:
    """Write records as one JSON object."""
    documents = [orjson.Fragment(record.line.rstrip()) for record in records]
    return orjson.dumps({"schema": "perfcli/logs/1", "records": documents}).decode()


def write_summary(summary: LogSummary, stream: TextIO) -> None:
    """Write the headline, the spreads and the functions."""
    # In one piece: a console that finds its stream closed would end the program.
    drawn = io.StringIO()
    console = Console(
        file=drawn,
        markup=False,
        highlight=False,
        width=table_width(is_terminal=stream.isatty()),
        force_terminal=stream.isatty() or None,
    )
    for part in _summary_parts(summary):
        console.print(part)
    stream.write(drawn.getvalue())


def _printable(text: str) -> str:
    """Escape what would break the line, or speak to the terminal: a message may quote a stranger."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def _summary_parts(summary: LogSummary) -> Iterator[RenderableType]:
    rate = _NOT_MEASURED if summary.throughput_rps is None else format_rate(summary.throughput_rps)
    predictions = format_count(summary.predictions, "prediction")
    yield (
        f"{predictions} in {format_duration(summary.elapsed_s)}, {rate}, "
        f"{summary.errors} with an error, {summary.profiled} profiled\n"
        f"{summary.first} to {summary.last}"
    )
    yield _spreads(summary)
    if summary.top_functions:
        yield _functions(summary)


def _metrics(metrics: object) -> str:
    found = cast(dict[str, float | str | None], metrics)
    parts = [
        f"inference {_ms(found['inference_time_ms'])}",
        f"CPU {_ms(found.get('cpu_time_ms'))}",
        f"latency {_ms(found.get('latency_ms'))}",
        f"RSS {_mb(found.get('memory_mb'))}",
    ]
    if found.get("function_calls") is not None:
        parts.append(format_count(int(cast(int, found["function_calls"])), "call"))
    if found.get("corrected_time_ms") is not None:
        parts.append(f"{_ms(found['corrected_time_ms'])} without the profiler")
    if found.get("error") is not None:
        parts.append(f"error {found['error']}")
    return ", ".join(parts)


def _spreads(summary: LogSummary) -> FittedTable:
    # What was not profiled is what it is; the rest is told with the profiler's part in it, or without.
    free, whole = (", profiler taken out", ", profiler included") if summary.profiled else ("", "")
    rows: list[tuple[str, Spread, Callable[[float | None], str]]] = [
        (f"inference{free}", summary.inference_time_ms, _ms)
    ]
    if summary.profiled:
        rows.append((f"inference{whole}", summary.logged_time_ms, _ms))
    rows += [
        (f"latency in the server{free}", summary.latency_ms, _ms),
        (f"CPU time{whole}", summary.cpu_time_ms, _ms),
        ("RSS", summary.memory_mb, _mb),
    ]

    def make(names: Sequence[str]) -> Table:
        table = Table(box=SIMPLE_HEAD, title="Per prediction", title_justify="left", title_style="bold")
        table.add_column("", overflow="fold", min_width=_LABEL_WIDTH)
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for label, spread, write in rows:
            cells = [str(spread.samples) if name == "samples" else write(getattr(spread, name)) for name in names]
            table.add_row(label, *cells)
        return table

    return FittedTable(make, _SPREAD, _DISPENSABLE_OF_SPREAD, _ELSEWHERE)


def _functions(summary: LogSummary) -> FittedTable:
    predictions = format_count(summary.profiled, "profiled prediction")
    title = f"Functions: sums over {predictions}, profiler included"

    def make(names: Sequence[str]) -> Table:
        table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
        for name in names:
            if name in _LABELS:
                table.add_column(name, overflow="fold", min_width=_LABEL_WIDTH)
            else:
                table.add_column(name, justify="right", no_wrap=True)
        for function in summary.top_functions:
            cells = {
                "function": _printable(function.function),
                "where": _printable(f"{function.file}:{function.line}" if function.file else "builtin"),
                "predictions": str(function.predictions),
                "calls": str(function.calls),
                "self": _ms(function.total_time_ms),
                "with callees": _ms(function.cumulative_time_ms),
            }
            table.add_row(*(cells[name] for name in names))
        return table

    return FittedTable(make, _FUNCTION, _DISPENSABLE_OF_FUNCTION, _ELSEWHERE)


def _ms(value: float | str | None) -> str:
    return _NOT_MEASURED if value is None else format_duration(from_milliseconds(float(value)))


def _mb(value: float | str | None) -> str:
    return _NOT_MEASURED if value is None else format_size(from_mebibytes(float(value)))
