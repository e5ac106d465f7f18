"""What the tables of several kinds of results are made of."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from perfcli.records import Advice, ProfileResult

NOT_MEASURED = "-"
SELF_MEDIAN = "self median"
"""Heads the times of stages: that of a pipeline in a pipeline is without the steps inside it."""


class TitledTable(Table):
    """A table whose title may be wider than its columns; Rich would fold it to their width."""

    def __init__(self, heading: str):
        super().__init__(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        self._heading = heading

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self._heading, style="bold")
        yield from super().__rich_console__(console, options)


def warning_text(warning: Advice) -> Text:
    """Return a warning and its hint."""
    text = Text()
    text.append("! ", style="bold yellow").append(warning.message)
    if warning.hint:
        text.append(f"\n  {warning.hint}", style="dim")
    return text


def client_side(result: ProfileResult) -> str:
    """Return what names of CPU time and memory begin with: of a remote API's no more is known than the client's."""
    return "client " if result.target.kind == "remote" else ""
