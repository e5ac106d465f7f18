"""Put names and third-party errors into one line for a person."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from traceback import walk_tb

import perfcli

MAX_LENGTH = 300
_PACKAGES = ("/site-packages/", "/dist-packages/")


def one_line(text: str) -> str:
    """Join the lines of a text, and cut what no terminal line holds."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 3]}..."


def describe_error(error: BaseException) -> str:
    """Write an exception as `ValueError: its text` on one line."""
    text = one_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def place_of(error: BaseException) -> str:
    """Say where an exception left the user's own code: the innermost frame outside perfcli and what is installed.

    Returns:
        `model.py:12 in lookup`, relative to the working directory for a file below it; empty without such a frame.
    """
    installed = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    foreign = tuple(f"{folder}/" for folder in (Path(perfcli.__file__).parent, *installed))
    place = ""
    for frame, line in walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if not file.startswith(("<", *foreign)) and not any(folder in file for folder in _PACKAGES):
            path = Path(file)
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            place = f"{shown}:{line} in {frame.f_code.co_qualname}"
    return one_line(place)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the question with the nearest known name, or an empty text when none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"Did you mean '{near[0]}'?" if near else ""
