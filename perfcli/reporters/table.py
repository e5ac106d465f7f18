"""What a terminal shows: the headline, then tables; plain text when the stream is a file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from rich.console import Console, RenderableType

from perfcli.records import ProfileResult
from perfcli.records.capacity import CapacityResult
from perfcli.records.codec import Result
from perfcli.records.comparison import Comparison
from perfcli.records.load import LoadResult
from perfcli.records.sweep import SweepResult
from perfcli.reporters.capacity_report import capacity_tables
from perfcli.reporters.comparison_report import comparison_tables
from perfcli.reporters.load_table import load_tables
from perfcli.reporters.plain_text import encodable
from perfcli.reporters.profile_table import profile_tables
from perfcli.reporters.protocol import View
from perfcli.reporters.sweep_report import sweep_tables
from perfcli.table_width import table_width

TABLES: Mapping[type, Callable[[Any, View], Iterable[RenderableType]]] = {
    ProfileResult: profile_tables,
    LoadResult: load_tables,
    Comparison: comparison_tables,
    CapacityResult: capacity_tables,
    SweepResult: sweep_tables,
}
"""How each kind of result is shown; text is written as it is, on one line whatever the width."""


class TableReporter:
    """Writes what a terminal shows; colour and width follow the stream, NO_COLOR and COLUMNS."""

    def __init__(self, view: View = View()):  # noqa: B008 - frozen
        self._view = view

    def write(self, result: Result, stream: TextIO) -> None:
        """Write the tables of a result."""
        stream.write(encodable(self._draw(result, is_terminal=stream.isatty()), stream.encoding))

    def _draw(self, result: Result, *, is_terminal: bool) -> str:
        drawn = io.StringIO()
        console = Console(
            file=drawn,
            markup=False,
            highlight=False,
            width=table_width(is_terminal=is_terminal),
            force_terminal=is_terminal or None,
        )
        for part in TABLES[type(result)](result, self._view):
            if isinstance(part, str):
                drawn.write(f"{part}\n")
            else:
                console.print(part)
        return drawn.getvalue()
