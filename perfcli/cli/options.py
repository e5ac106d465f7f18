"""Options that several commands share, so that they are named and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perfcli.errors import UsageError

Outputs = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", help="Write a report; the suffix picks the format. Repeatable.", metavar="FILE"),
]
Speedscope = Annotated[
    Path | None,
    typer.Option(help="Write the call tree for www.speedscope.app.", metavar="FILE", show_default=False),
]
Tree = Annotated[bool, typer.Option("--tree", help="Show the call tree, calls among library functions folded.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole record as one JSON object, and nothing else.")]


def read_counts(option: str, text: str) -> tuple[int, ...]:
    """Read whole numbers above 0 with commas between them, in ascending order.

    Raises:
        UsageError: One of them is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"{option} {text}: these are no whole numbers above 0.", f"Write it like {option} 1,2,4.")
    return tuple(sorted({int(part) for part in parts}))
