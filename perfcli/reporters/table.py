"""What a terminal shows: the headline, then tables; plain text when the stream is a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TextIO

from rich.console import Console, RenderableType

from perfcli.records import ProfileResult
from perfcli.records.capacity import CapacityResult
from perfcli.records.codec import Result
from perfcli.records.comparison import Comparison
from perfcli.records.load import LoadResult
from perfcli.reporters.capacity_report import capacity_tables
from perfcli.reporters.comparison_report import comparison_tables
from perfcli.reporters.load_table import load_tables
from perfcli.reporters.profile_table import profile_tables
from perfcli.reporters.protocol import View
from perfcli.reporters.verdict_report import verdict_table

TABLES: Mapping[type, Callable[[Any, View], Iterable[RenderableType]]] = {
    ProfileResult: profile_tables,
    LoadResult: load_tables,
    Comparison: comparison_tables,
    CapacityResult: capacity_tables,
}
"""How each kind of result is shown; text is written as it is, on one line whatever the width."""

FILE_WIDTH = 100


class _Console(Console):
    """A console that leaves a reader's going away to whoever owns the stream; Rich itself would exit with 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


class TableReporter:
    """Writes what a terminal shows; colour and width follow the stream, NO_COLOR and COLUMNS."""

    suffix = ".txt"

    def __init__(self, view: View = View()):  # noqa: B008 - frozen
        self._view = view

    def write(self, result: Result, stream: TextIO) -> None:
        """Write the tables of a result."""
        width = None if stream.isatty() else FILE_WIDTH
        console = _Console(file=stream, markup=False, highlight=False, width=width)
        for part in TABLES[type(result)](result, self._view):
            if isinstance(part, str):
                stream.write(f"{part}\n")
            else:
                console.print(part)
        if isinstance(result, ProfileResult | LoadResult):
            for table in verdict_table(result.verdicts):
                console.print(table)
