"""A series of numbers as a line of block characters."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int | None = None) -> str:
    """Draw a series from 0 to its largest value; a number that is missing is a space.

    A longer series is cut into `width` parts, each drawn as its largest value, so that no peak is lost.
    """
    count = len(values)
    if width is not None and count > width:
        ends = [count * part // width for part in range(width + 1)]
        values = [
            max((value for value in values[ends[part] : ends[part + 1]] if value is not None), default=None)
            for part in range(width)
        ]
    largest = max((value for value in values if value is not None), default=0.0)
    return "".join(" " if value is None else _block(value, largest) for value in values)


def _block(value: float, largest: float) -> str:
    return BLOCKS[min(len(BLOCKS) - 1, int(value / largest * len(BLOCKS)))] if largest > 0 else BLOCKS[0]
