"""A result as Markdown, for a pull request or a job summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from perfcli.records import FunctionTime, ProfileResult
from perfcli.records.capacity import CapacityResult
from perfcli.records.codec import Result
from perfcli.records.comparison import Comparison
from perfcli.records.load import LoadResult
from perfcli.records.sweep import SweepResult
from perfcli.reporters.capacity_report import capacity_document
from perfcli.reporters.comparison_report import comparison_document
from perfcli.reporters.load_markdown import load_document
from perfcli.reporters.markup import escape, markdown_table, warning_lines
from perfcli.reporters.parts import SELF_MEDIAN, client_side
from perfcli.reporters.sweep_report import sweep_document
from perfcli.reporters.verdict_report import verdict_lines
from perfcli.units import format_duration, format_ratio, format_size

TOP = 10


class MarkdownReporter:
    """Writes GitHub-flavoured Markdown."""

    def write(self, result: Result, stream: TextIO) -> None:
        """Write the report."""
        stream.writelines(f"{line}\n" for line in DOCUMENTS[type(result)](result))
        if isinstance(result, ProfileResult | LoadResult):
            stream.writelines(f"{line}\n" for line in verdict_lines(result.verdicts))


def profile_document(result: ProfileResult) -> Iterator[str]:
    """Yield the lines of a profile."""
    partial = " (interrupted: partial)" if result.partial else ""
    yield f"## Profile of {escape(result.target.name)}, {escape(result.target.method)}{partial}"
    latency = result.latency
    if latency is not None:
        yield ""
        low, high = latency.ci_low_s, latency.ci_high_s
        interval = "-" if low is None or high is None else f"{format_duration(low)} to {format_duration(high)}"
        rows = [
            ("median", format_duration(latency.median_s)),
            ("95 % interval of the median", interval),
            ("p95", "-" if latency.p95_s is None else format_duration(latency.p95_s)),
            ("runs", str(latency.runs)),
        ]
        if result.cpu is not None:
            rows.append((f"{client_side(result)}CPU time, thread", format_duration(result.cpu.thread_s)))
        if result.memory is not None and result.memory.peak_bytes is not None:
            rows.append((f"{client_side(result)}peak memory of one call", format_size(result.memory.peak_bytes)))
        if result.cold_start_s is not None:
            rows.append(("first call", format_duration(result.cold_start_s)))
        yield from markdown_table(("", "measured"), rows)
    if result.stages:
        yield ""
        stages = [(s.name, format_duration(s.median_s), format_ratio(s.share)) for s in result.stages]
        yield from markdown_table(("stage", SELF_MEDIAN, "share"), stages)
    if result.server is not None and result.server.functions:
        yield ""
        yield from _functions(result.server.functions, result.server.profiled)
    elif result.functions:
        yield ""
        yield from _functions(result.functions)
    yield from warning_lines(result.warnings)


def _functions(functions: Sequence[FunctionTime], profiled: int = 0) -> Iterator[str]:
    """Yield the table of the functions; of a server's with how many of its profiled predictions name them."""
    rows = (
        (
            f"{f.function} {f.file}",
            format_duration(f.self_s),
            format_ratio(f.share),
            format_duration(f.cumulative_s),
            f"{f.calls:g}",
            *([f"{f.records} of {profiled}"] if profiled else []),
        )
        for f in functions[:TOP]
    )
    header = ("function", "self", "share", "cumulative", "calls", *(["named in"] if profiled else []))
    yield from markdown_table(header, rows)


DOCUMENTS: Mapping[type, Callable[[Any], Iterator[str]]] = {
    ProfileResult: profile_document,
    LoadResult: load_document,
    Comparison: comparison_document,
    CapacityResult: capacity_document,
    SweepResult: sweep_document,
}
"""How each kind of result is written."""
