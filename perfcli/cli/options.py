"""Options that several commands share, so that they are named and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
