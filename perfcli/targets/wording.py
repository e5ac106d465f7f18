"""Put names and third-party errors into one line for a person."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_LENGTH = 300


def one_line(text: str) -> str:
    """Join the lines of a text, and cut what no terminal line holds."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 3]}..."


def describe_error(error: BaseException) -> str:
    """Write an exception as `ValueError: its text` on one line."""
    text = one_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the question with the nearest known name, or an empty text when none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"Did you mean '{near[0]}'?" if near else ""
