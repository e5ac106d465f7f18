"""Tables and plain text in GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; text columns first, all but the first to the right."""
    yield f"| {' | '.join(header)} |"
    yield f"|---|{'---:|' * (len(header) - 1)}"
    for row in rows:
        yield f"| {' | '.join(escape(cell) for cell in row)} |"


def escape(text: str) -> str:
    """Keep text from becoming markup: a function may be called `<lambda>`, an error may hold a pipe."""
    for sign in "\\`*_|<>[]":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
