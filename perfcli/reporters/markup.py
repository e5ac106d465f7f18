"""Tables and plain text in GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from perfcli.records import Advice

CELL_LENGTH = 200
"""Characters of a cell of a table; names and errors come from elsewhere and may be of any length."""


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; text columns first, all but the first to the right."""
    yield f"| {' | '.join(header)} |"
    yield f"|---|{'---:|' * (len(header) - 1)}"
    for row in rows:
        yield f"| {' | '.join(escape(_clipped(cell)) for cell in row)} |"


def warning_lines(warnings: Iterable[Advice]) -> Iterator[str]:
    """Yield a quotation for each warning with its hint."""
    for warning in warnings:
        yield ""
        yield f"> {escape(warning.message)} {escape(warning.hint)}".rstrip()


def escape(text: str) -> str:
    """Keep text from becoming markup: a function may be called `<lambda>`, an error may hold a pipe."""
    for sign in "\\`*_|<>[]":
        text = text.replace(sign, f"\\{sign}")
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """Replace what no reader can see, such as the control characters of a terminal and halves of characters."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def _clipped(cell: str) -> str:
    return cell if len(cell) <= CELL_LENGTH else f"{cell[: CELL_LENGTH - 1]}…"
