"""Verdicts for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from perfcli.records import SloVerdict
from perfcli.reporters.markup import markdown_table
from perfcli.reporters.parts import NOT_MEASURED, TitledTable
from perfcli.units import format_beside, format_multiple

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
MARKDOWN_ROWS = 50
"""GitHub refuses a comment of more than 65536 characters."""
MULTIPLE = 10.0

_HEADER = ("SLO", "measured", "margin", "verdict", "why")


def verdict_table(verdicts: Sequence[SloVerdict]) -> Iterator[Table]:
    """Yield the table of the verdicts; nothing without any."""
    if not verdicts:
        return
    table = TitledTable("SLOs")
    table.add_column(_HEADER[0], overflow="fold")
    table.add_column(_HEADER[1], justify="right", no_wrap=True)
    table.add_column(_HEADER[2], justify="right", no_wrap=True)
    table.add_column(_HEADER[3], no_wrap=True)
    table.add_column(_HEADER[4], overflow="fold")
    for verdict in verdicts:
        table.add_row(*_cells(verdict), style=STYLES[verdict.outcome] if verdict.outcome != "pass" else None)
    yield table


def verdict_lines(verdicts: Sequence[SloVerdict]) -> Iterator[str]:
    """Yield the verdicts as Markdown, what did not pass first, bounded; nothing without any."""
    if not verdicts:
        return
    passed = sum(verdict.outcome == "pass" for verdict in verdicts)
    yield ""
    yield f"### SLOs: {passed} of {len(verdicts)} pass"
    yield ""
    passed_last = sorted(verdicts, key=lambda verdict: verdict.outcome == "pass")
    yield from markdown_table(_HEADER, map(_cells, passed_last[:MARKDOWN_ROWS]))
    if len(verdicts) > MARKDOWN_ROWS:
        yield ""
        yield f"{len(verdicts) - MARKDOWN_ROWS} more are in the record."


def describe_margin(margin: float) -> str:
    """Say how far from its limit a measurement is; beyond twice the limit, and eleven times, as a multiple of it.

    Args:
        margin: Room as a share of the limit, negative beyond it.
    """
    if margin < -1:
        return f"{format_multiple(1 - margin)} the limit"
    return f"{margin * 100:+.1f} %" if margin < MULTIPLE else f"{format_multiple(1 + margin)} the limit"


def _cells(verdict: SloVerdict) -> tuple[str, str, str, str, str]:
    return (
        verdict.slo,
        NOT_MEASURED if verdict.measured is None else format_beside(verdict.measured, verdict.limit, verdict.unit),
        NOT_MEASURED if verdict.margin is None else describe_margin(verdict.margin),
        verdict.outcome,
        verdict.reason,
    )
