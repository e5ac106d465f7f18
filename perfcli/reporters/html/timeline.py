"""The course of a run: lines over one time axis, so that panels below each other can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
    ticks,
    title,
)

HEIGHT = 210.0
FRAME = Frame(left=70, top=30, right=WIDTH - 16, bottom=HEIGHT - 30)


class Span(NamedTuple):
    """A part of the run, in seconds from its start."""

    start_s: float
    end_s: float
    measured: bool


class Line(NamedTuple):
    """One curve.

    Attributes:
        name: For the legend.
        values: One for each span; None where nothing was measured, which interrupts the line.
    """

    name: str
    values: Sequence[float | None]


def draw_timeline(
    spans: Sequence[Span],
    lines: Sequence[Line],
    show: Callable[[float], str],
    *,
    place: Callable[[float, float, int], Sequence[float]] = ticks,
    logarithmic: bool = False,
) -> Markup:
    """Draw lines over the time of the run; spans that are not measured are shaded.

    Args:
        spans: In order; at least one.
        lines: At least one value is not None.
        show: Writes a value.
        place: From the lowest and the highest value, and about how many there shall be, to the values on the axis.
        logarithmic: Equal factors are equally far apart; all values must be positive.
    """
    x = Scale(0, spans[-1].end_s, FRAME.left, FRAME.right)
    y = _value_scale([value for line in lines for value in line.values if value is not None], logarithmic)
    marks = log_ticks(y.low, y.high) if logarithmic else place(y.low, y.high, 4)
    parts = [
        *shade_idle(spans, x, FRAME),
        *left_axis(FRAME, y, marks, show),
        *(
            element("path", d=path(points_over_time(spans, line, x, y)), class_=f"line s{position}")
            for position, line in enumerate(lines)
        ),
        *legend([line.name for line in lines], FRAME.left),
        *bottom_axis(FRAME, x, ticks(0, x.high, 10), lambda value: f"{value:g} s"),
        *_values(spans, lines, x, show),
    ]
    names = ", ".join(line.name for line in lines)
    return drawing(HEIGHT, f"{names} over the {x.high:.0f} seconds of the run.", parts)


def points_over_time(spans: Sequence[Span], line: Line, x: Scale, y: Scale) -> list[tuple[float, float] | None]:
    """Return where a line goes: through the middle of each span; None where nothing was measured."""
    return [
        None if value is None else (x((span.start_s + span.end_s) / 2), y(value))
        for span, value in zip(spans, line.values, strict=True)
    ]


def shade_idle(spans: Sequence[Span], x: Scale, frame: Frame) -> list[str]:
    """Lay a shade behind each span that is not measured."""
    return [
        element("rect", x=left, y=frame.top, width=x(span.end_s) - left, height=frame.bottom - frame.top, class_="idle")
        for span in spans
        if not span.measured
        for left in [x(span.start_s)]
    ]


def describe_span(span: Span, position: int, lines: Sequence[Line], show: Callable[[float], str]) -> str:
    """Say what the lines are at a span."""
    values = [(line.name, line.values[position]) for line in lines]
    words = ", ".join(f"{name} {show(value)}" for name, value in values if value is not None)
    return f"{span.start_s:.0f} s: {words}"


def _value_scale(values: Sequence[float], logarithmic: bool) -> Scale:
    high = max(values)
    if not logarithmic:
        return Scale(0, high * 1.05 or 1.0, FRAME.bottom, FRAME.top)
    low = 10 ** (math.floor(math.log10(min(values)) * 4) / 4)
    return Scale(low, max(high * 1.1, low * 2), FRAME.bottom, FRAME.top, logarithmic=True)


def _values(spans: Sequence[Span], lines: Sequence[Line], x: Scale, show: Callable[[float], str]) -> list[str]:
    """Lay an invisible rectangle over each span that tells its values to a pointer."""
    drawn = []
    for position, span in enumerate(spans):
        left = x(span.start_s)
        drawn.append(
            element(
                "rect",
                title(describe_span(span, position, lines, show)),
                x=left,
                y=FRAME.top,
                width=x(span.end_s) - left,
                height=FRAME.bottom - FRAME.top,
                class_="over",
            )
        )
    return drawn
