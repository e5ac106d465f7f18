"""Options that several commands share, so that they are named and explained once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from perfcli.errors import UsageError
from perfcli.units import parse_duration, parse_ratio


class Check(StrEnum):
    """What an answer must be."""

    STATUS = "status"
    ROWS = "rows"
    PROBABILITIES = "probabilities"
    SUMS = "sums"
    LABELS = "labels"


Outputs = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", help="Write a report; the suffix picks the format. Repeatable.", metavar="FILE"),
]
TARGET_PANEL = "What is loaded"
MACHINES_PANEL = "Several processes and machines"

# What is said of an option that stands in another panel of each command.
MODEL_HELP = "A model file (.joblib, .pkl, .skops) or package.module:attribute."
TRUST_HELP = "Load a model file that may execute code."
HTTP_METHOD_HELP = "Method of the requests."

Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        "--url",
        help="URL of an API that runs; a path in it is that of the requests. [dim]Default: the host that the scenario "
        "names, or else the embedded API, started for this run.[/dim]",
        metavar="URL",
        show_default=False,
        rich_help_panel=TARGET_PANEL,
    ),
]
Payloads = Annotated[
    str | None,
    typer.Option(
        help="JSON, JSON Lines, CSV, or - for stdin. [dim]Default: patients that travel with perfcli.[/dim]",
        metavar="FILE",
        show_default=False,
        rich_help_panel=TARGET_PANEL,
    ),
]
Scenario = Annotated[
    Path | None,
    typer.Option(
        help="Any locustfile: who sends what. [dim]Default: loadtests/predict.py.[/dim]",
        metavar="FILE",
        show_default=False,
        rich_help_panel=TARGET_PANEL,
    ),
]
RequestPath = Annotated[
    str | None, typer.Option(help="Path of the requests.", show_default="/predict", rich_help_panel=TARGET_PANEL)
]
RequestHeaders = Annotated[
    list[str] | None,
    typer.Option(
        help="'Name: value'; the value env:TOKEN is read from $TOKEN. Repeatable.", rich_help_panel=TARGET_PANEL
    ),
]
RequestTimeout = Annotated[
    str,
    typer.Option(
        help="Longest wait for connecting, sending and each answer.", metavar="DURATION", rich_help_panel=TARGET_PANEL
    ),
]
Checks = Annotated[
    list[Check] | None,
    typer.Option(
        help="Count only answers as successes whose status is 2xx, that have a prediction for each row, whose "
        "probabilities are from 0 to 1 and sum to 1, whose labels are known. Repeatable. [dim]Default: all but "
        "sums, as a row may have several labels; what the form of an answer leaves open is no failure.[/dim]",
        show_default=False,
        rich_help_panel=TARGET_PANEL,
    ),
]
Processes = Annotated[
    int, typer.Option(min=1, help="Generator processes on this machine.", rich_help_panel=MACHINES_PANEL)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Load another machine without asking.")]
Speedscope = Annotated[
    Path | None,
    typer.Option(help="Write the call tree for www.speedscope.app.", metavar="FILE", show_default=False),
]
Tree = Annotated[bool, typer.Option("--tree", help="Show the call tree, calls among library functions folded.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole record as one JSON object, and nothing else.")]


def read_duration(option: str, text: str) -> float:
    """Read a duration above 0 in seconds.

    Raises:
        UsageError: It is none.
    """
    try:
        duration_s = parse_duration(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}", error.hint) from None
    if duration_s == 0:
        raise UsageError(f"{option} must be above 0, not {text}.", "Write it like 500ms, 10s, 2m.")
    return duration_s


def read_ratio(option: str, text: str) -> float:
    """Read a ratio above 0, written as one or as a percentage.

    Raises:
        UsageError: It is none.
    """
    try:
        ratio = parse_ratio(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}", error.hint) from None
    if ratio == 0:
        raise UsageError(f"{option} must be above 0, not {text}.", f"Write it like {option} 5%.")
    return ratio


def read_counts(option: str, text: str) -> tuple[int, ...]:
    """Read whole numbers above 0 with commas between them, in ascending order.

    Raises:
        UsageError: One of them is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"{option} {text}: these are no whole numbers above 0.", f"Write it like {option} 1,2,4.")
    return tuple(sorted({int(part) for part in parts}))
