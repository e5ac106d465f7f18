"""The course of a load in one line of text.

::

    shape = part { "," part }
    part  = "ramp" level "-" level "/" duration     a straight line from one level to another
          | "hold" [ level "/" ] duration           one level; without a level, the one reached so far
          | "soak" [ level "/" ] duration           the same, by the name long runs go by
          | "spike" level "/" duration              jumps to a level, and back to the one before
    level = number                                  users, or arrivals per second in an open loop

A duration is written as everywhere: `500ms`, `30s`, `2m`, `1h`.
"""

from __future__ import annotations

import re
from typing import NoReturn

from perfcli.errors import UsageError
from perfcli.loadtest.plan import Segment
from perfcli.units import parse_duration

KINDS = ("ramp", "hold", "soak", "spike")
EXAMPLE = "Write it like 'ramp 0-200/30s, hold 2m, spike 600/10s'."

_NUMBER = r"[0-9]+(?:\.[0-9]*)?"
_KIND = re.compile(r"\s*([A-Za-z]*)\s*")
_RANGE = re.compile(rf"({_NUMBER})\s*-\s*({_NUMBER})\s*/\s*")
_LEVEL = re.compile(rf"({_NUMBER})\s*/\s*")


def parse_shape(text: str) -> tuple[Segment, ...]:
    """Read a shape as straight segments that follow each other.

    Raises:
        UsageError: Not a shape; with the column where it stops being one.
    """
    segments: list[Segment] = []
    level: float | None = None
    position = 0
    while True:
        segment, level, position = _part(text, position, level)
        segments.append(segment)
        if position == len(text):
            break
        position += 1
    if max(max(segment.start, segment.end) for segment in segments) == 0:
        _refuse(text, 0, "the load is 0 all the time")
    return tuple(segments)


def _part(text: str, position: int, level: float | None) -> tuple[Segment, float | None, int]:
    """Return one segment, the level after it, and where the part ends: at a comma or at the end of the text."""
    kind = _KIND.match(text, position)
    if kind is None or kind[1] not in KINDS:
        _refuse(text, position if kind is None else kind.start(1), f"a part begins with {', '.join(KINDS)}")
    start, end, position = _levels(text, kind.end(), kind[1], level)
    comma = text.find(",", position)
    stop = len(text) if comma < 0 else comma
    segment = Segment(start, end, _duration(text, position, text[position:stop]))
    return segment, level if kind[1] == "spike" else end, stop


def _levels(text: str, position: int, kind: str, level: float | None) -> tuple[float, float, int]:
    if kind == "ramp":
        found = _RANGE.match(text, position)
        if found is None:
            _refuse(text, position, "a ramp goes on with its two levels, such as 0-200/")
        return float(found[1]), float(found[2]), found.end()
    found = _LEVEL.match(text, position)
    if found is not None:
        return float(found[1]), float(found[1]), found.end()
    if level is None or kind == "spike":
        _refuse(text, position, f"a {kind} goes on with its level here, such as 200/")
    return level, level, position


def _duration(text: str, position: int, duration: str) -> float:
    try:
        duration_s = parse_duration(duration)
    except UsageError:
        _refuse(text, position, "a part ends with its duration, such as 30s or 2m")
    if duration_s <= 0:
        _refuse(text, position, "a duration is longer than 0")
    return duration_s


def _refuse(text: str, position: int, reason: str) -> NoReturn:
    column = position + 1
    raise UsageError(f"Not a shape at column {column}: {reason}.\n  {text}\n  {' ' * position}^", EXAMPLE)
