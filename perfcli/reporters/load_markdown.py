"""A load run as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from perfcli.records.load import LoadResult
from perfcli.reporters.load_table import describe_load, endpoint_rows, quantile_cells
from perfcli.reporters.markup import escape, markdown_table, warning_lines
from perfcli.units import format_duration

TOP = 50
PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9", "max")


def load_document(result: LoadResult) -> Iterator[str]:
    """Yield the lines of a load run."""
    partial = " (interrupted: partial)" if result.partial else ""
    yield f"## Load on {escape(result.description.url)}{partial}"
    yield ""
    yield escape(f"{describe_load(result.description)}, {result.description.scenario}.")
    measured = f"{format_duration(result.window.elapsed_s)} measured after {format_duration(result.window.warm_up_s)}"
    yield f"{measured} of warm-up; generator {result.generator.verdict}."
    yield ""
    yield from markdown_table(
        ("endpoint", "requests", "failed", "per second", *PERCENTILES), endpoint_rows(result, TOP)
    )
    if result.arrivals is not None:
        yield ""
        rows = (
            ("response, from when a request was due", result.total.latency),
            ("service, from when it was sent", result.total.service),
            ("sent late by", result.arrivals.lag),
        )
        yield from markdown_table(("", *PERCENTILES), ((name, *quantile_cells(quantiles)) for name, quantiles in rows))
    if result.errors:
        yield ""
        yield from markdown_table(
            ("kind of failure", "count", "for example"),
            ((error.kind, str(error.count), error.example) for error in result.errors[:TOP]),
        )
    yield from warning_lines(result.warnings)
    if result.diagnosis is not None:
        yield ""
        yield f"**{escape(result.diagnosis)}**"
