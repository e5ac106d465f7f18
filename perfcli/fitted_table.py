"""A table that leaves columns out, where it is too narrow for all of them, rather than cut a value in any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

UNBOUNDED = 10_000


@dataclass(frozen=True, slots=True)
class FittedTable:
    """A table with as many of its columns as there is room for, and a word about the others.

    Attributes:
        make: Makes the table with these columns. One that folds its cells has a `min_width`; all others have `no_wrap`.
        names: Of all columns, in their order.
        dispensable: Those that may be left out, together with their like; the first of these go first.
        elsewhere: Where they are, beside a wider terminal.
    """

    make: Callable[[Sequence[str]], Table]
    names: Sequence[str]
    dispensable: Sequence[Sequence[str]]
    elsewhere: str = "in every file (-o)"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the table, and below it what it leaves out."""
        names = list(self.names)
        for group in self.dispensable:
            if _least_width(self.make(names), console, options) <= options.max_width:
                break
            names = [name for name in names if name not in group]
        yield self.make(names)
        left_out = [name for name in self.names if name not in names]
        if left_out:
            yield Text(f"  {', '.join(left_out)}: in a wider terminal, and {self.elsewhere}.", "dim")


def _least_width(table: Table, console: Console, options: ConsoleOptions) -> int:
    """Return the width below which a value would be cut: Rich's own minimum is that of single words."""
    for column in table.columns:
        if not column.no_wrap:
            column.max_width = column.min_width
    return console.measure(table, options=options.update_width(UNBOUNDED)).maximum
