"""Latency over time as a heat map: a column for each part of the run, its colour the number of successes that took so
long, and the lines of the percentiles over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from perfcli.records.latency_counts import LEADING_DIGITS, LatencyClass, LatencyCounts
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
    number,
    path,
    text,
    ticks,
    title,
)
from perfcli.reporters.html.timeline import Line, Span, describe_span, points_over_time, shade_idle
from perfcli.units import format_duration

HEIGHT = 330.0
FRAME = Frame(left=70, top=30, right=WIDTH - 16, bottom=HEIGHT - 30)
MOST_CELLS = 3000
"""A cell takes a hundred bytes of the page."""
LEVELS = 7
"""Number of colours that the style sheet defines as .h0 to .h6."""

SWATCH = 16.0


def cells_of(columns: Sequence[LatencyCounts | None]) -> list[list[LatencyClass]]:
    """Return the cells of each column that hold successes; classes are joined while there are too many cells."""
    for digits in range(LEADING_DIGITS, 0, -1):
        cells = [[] if column is None else column.classes(digits) for column in columns]
        if sum(map(len, cells)) <= MOST_CELLS:
            break
    return cells


def level(samples: int, most: int) -> int:
    """Return the colour of a cell, from 0 to LEVELS - 1: equal factors are equally many steps apart."""
    return min(LEVELS - 1, int(LEVELS * math.log(samples) / math.log(most + 1) + 1e-9))


def draw_heat_map(spans: Sequence[Span], columns: Sequence[LatencyCounts | None], lines: Sequence[Line]) -> Markup:
    """Draw the distributions, and the percentiles over them.

    Args:
        spans: In order; at least one.
        columns: The successes of each span; at least one is not None.
        lines: Seconds for each span.
    """
    cells = cells_of(columns)
    every = [cell for column in cells for cell in column]
    most = max(cell.samples for cell in every)
    x = Scale(0, spans[-1].end_s, FRAME.left, FRAME.right)
    low, high = min(cell.start_ns for cell in every), max(cell.end_ns for cell in every)
    y = Scale(max(1, low) / 1e9, high / 1e9, FRAME.bottom, FRAME.top, logarithmic=True)
    curves = [path(points_over_time(spans, line, x, y)) for line in lines]
    parts = [
        *shade_idle(spans, x, FRAME),
        *left_axis(FRAME, y, log_ticks(y.low, y.high), format_duration),
        *(
            _column(span, describe_span(span, position, lines, format_duration), column, most, x, y)
            for position, (span, column) in enumerate(zip(spans, cells, strict=True))
        ),
        *(element("path", d=curve, class_="halo") for curve in curves),
        *(element("path", d=curve, class_=f"line s{position}") for position, curve in enumerate(curves)),
        *legend([line.name for line in lines], FRAME.left),
        *_scale_of_colours(most),
        *bottom_axis(FRAME, x, ticks(0, x.high, 10), lambda value: f"{value:g} s"),
    ]
    label = (
        f"Heat map of the latency over the {x.high:.0f} seconds of the run,"
        f" from {format_duration(y.low)} to {format_duration(y.high)}."
    )
    return drawing(HEIGHT, label, parts, class_="plot heat")


def _column(span: Span, words: str, cells: Sequence[LatencyClass], most: int, x: Scale, y: Scale) -> str:
    """Draw the cells over a rectangle that tells the percentiles to a pointer between them."""
    left, right = x(span.start_s), x(span.end_s)
    area = {"x": left, "y": FRAME.top, "width": right - left, "height": FRAME.bottom - FRAME.top}
    parts = [title(words), element("rect", **area, class_="over")]
    for cell in cells:
        start_s, end_s = cell.start_ns / 1e9, cell.end_ns / 1e9
        # Twice as short as a rectangle of four attributes.
        shape = f"M{number(left)} {number(y(end_s))}H{number(right)}V{number(y(start_s))}H{number(left)}"
        tip = title(f"{cell.samples} of {format_duration(start_s)} to {format_duration(end_s)}")
        parts.append(element("path", tip, d=shape, class_=f"h{level(cell.samples, most)}"))
    return element("g", *parts)


def _scale_of_colours(most: int) -> list[str]:
    """Show the colours in the upper right corner, with the number of successes they begin and end at."""
    words = f"{most} success{'es' * (most != 1)}"
    left = FRAME.right - len(words) * 7.0 - LEVELS * SWATCH - 8
    swatches = [
        element("rect", x=left + step * SWATCH, y=8.0, width=SWATCH, height=12.0, class_=f"h{step}")
        for step in range(LEVELS)
    ]
    return [
        text("1", left - 6, 18, class_="tick", text_anchor="end"),
        *swatches,
        text(words, left + LEVELS * SWATCH + 6, 18, class_="tick"),
    ]
