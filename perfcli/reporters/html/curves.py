"""Curves over a quantity that was varied on purpose: the load, or the rows of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from perfcli.reporters.html.svg import (
    WIDTH,
    Frame,
    Scale,
    bottom_axis,
    drawing,
    element,
    left_axis,
    legend,
    log_ticks,
    path,
    rule,
    text,
    ticks,
    title,
)
from perfcli.statistics import median
from perfcli.units import format_duration

HEIGHT = 300.0
FRAME = Frame(left=70, top=34, right=WIDTH - 30, bottom=HEIGHT - 34)


class Curve(NamedTuple):
    """One curve.

    Attributes:
        name: For the legend.
        points: Quantity and seconds, in any order; the curve is interrupted where None says that too little was
            measured, and goes through the median where a quantity was measured more than once.
        doubtful: What cannot be believed: drawn as hollow dots that the curve does not go through.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    doubtful: Sequence[tuple[float, float | None]] = ()

    @property
    def every(self) -> Sequence[tuple[float, float | None]]:
        """Both kinds of points."""
        return [*self.points, *self.doubtful]


def draw_curves(
    curves: Sequence[Curve],
    show: Callable[[float], str],
    *,
    marks: Sequence[tuple[float, str]] = (),
    band: tuple[float, float] | None = None,
    logarithmic: bool = False,
) -> Markup:
    """Draw durations, on a logarithmic axis, over a quantity.

    Args:
        curves: At least one value in each, believed or not, all positive.
        show: Writes the quantity.
        marks: Where a vertical line stands, and its label.
        band: Part of the quantity's axis that is shaded.
        logarithmic: The quantity has a logarithmic axis too.
    """
    places = [x for curve in curves for x, _ in curve.every]
    heights = [y for curve in curves for _, y in curve.every if y is not None]
    low, high = min(places), max(places)
    start = low / 1.05 if logarithmic else 0.0
    x = Scale(start, high * 1.05, FRAME.left, FRAME.right, logarithmic=logarithmic)
    y = Scale(min(heights) / 1.2, max(heights) * 1.2, FRAME.bottom, FRAME.top, logarithmic=True)
    parts: list[str] = []
    if band is not None:
        left, right = x(band[0]), x(band[1])
        height = FRAME.bottom - FRAME.top
        parts.append(element("rect", x=left, y=FRAME.top, width=right - left, height=height, class_="idle"))
    parts += left_axis(FRAME, y, log_ticks(y.low, y.high), format_duration)
    parts += bottom_axis(FRAME, x, log_ticks(x.low, x.high) if logarithmic else ticks(0, x.high, 8), show)
    for position, curve in enumerate(curves):
        line = [None if seconds is None else (x(quantity), y(seconds)) for quantity, seconds in _one_each(curve.points)]
        parts.append(element("path", d=path(line), class_=f"line s{position % 4}"))
        parts += [
            element("circle", title(f"{curve.name} at {show(quantity)}: {format_duration(seconds)}{note}"),
                    cx=x(quantity), cy=y(seconds), r=4, class_=f"{class_}{position % 4}")
            for points, class_, note in ((curve.points, "dot d", ""), (curve.doubtful, "hollow s", ", doubtful"))
            for quantity, seconds in sorted(points, key=lambda point: point[0])
            if seconds is not None
        ]  # fmt: skip
    for place, label in marks:
        parts += [
            rule(x(place), FRAME, "median"),
            text(label, x(place) - 6, FRAME.top + 12, class_="strong", text_anchor="end"),
        ]
    parts += legend([curve.name for curve in curves], FRAME.left)
    names = ", ".join(curve.name for curve in curves)
    return drawing(HEIGHT, f"{names} from {show(low)} to {show(high)}.", parts)


def _one_each(points: Sequence[tuple[float, float | None]]) -> Iterator[tuple[float, float | None]]:
    """Yield each quantity once, in order, with the median of what was measured there."""
    for quantity in sorted({quantity for quantity, _ in points}):
        measured = [seconds for place, seconds in points if place == quantity and seconds is not None]
        yield quantity, median(measured) if measured else None
