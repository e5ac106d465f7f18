"""Latency by percentile on an axis that gives every further nine the same room, as HdrHistogram draws it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from perfcli.reporters.html.svg import (
    WIDTH,
    Frame,
    Scale,
    bottom_axis,
    drawing,
    element,
    left_axis,
    path,
    text,
    ticks,
    title,
)
from perfcli.units import format_duration

HEIGHT = 280.0
FRAME = Frame(left=70, top=16, right=WIDTH - 30, bottom=HEIGHT - 34)


def percentile_points(histogram: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    """Return for each value of a histogram how many samples are counted per one beyond its rank, and the value.

    The 99th percentile stands at 100, the 99.9th at 1000. The last value, beyond which there is none, stands at the
    number of samples.
    """
    total = sum(count for _, count in histogram)
    points: list[tuple[float, float]] = []
    seen = 0
    for value_s, count in histogram:
        points.append((min(total, total / max(1, total - seen)), value_s))
        seen += count
        points.append((min(total, total / max(1, total - seen)), value_s))
    return points


def draw_percentiles(histogram: Sequence[tuple[float, int]], marks: Sequence[tuple[float, float]]) -> Markup:
    """Draw the curve of a histogram, and marks at single percentiles of something to compare it with.

    Args:
        histogram: Seconds and number of samples, the shortest first.
        marks: Percentile from 0 to 1 (but not 1) and seconds.
    """
    points = percentile_points(histogram)
    most = max(10.0, points[-1][0])
    high = max(histogram[-1][0], *(seconds for _, seconds in marks), 1e-9)
    x = Scale(1, most, FRAME.left, FRAME.right, logarithmic=True)
    y = Scale(0, high * 1.05, FRAME.bottom, FRAME.top)
    kept: list[tuple[float, float] | None] = []
    last = -1.0
    for position, (rank, seconds) in enumerate(points):
        if x(rank) - last >= 0.5 or position == len(points) - 1:
            last = x(rank)
            kept.append((last, y(seconds)))
    levels = [value for value in (1, 2, 10, 20, 100, 1000, 10_000, 100_000, 1_000_000) if value <= most]
    parts = [
        *left_axis(FRAME, y, ticks(0, high, 5), format_duration),
        *bottom_axis(FRAME, x, levels, lambda value: f"p{100 - 100 / value:g}"),
        element("path", d=path(kept), class_="line s0"),
        *(
            element("circle", title(f"p{100 * level:g}: {format_duration(seconds)}"), cx=x(1 / (1 - level)),
                    cy=y(seconds), r=4, class_="dot")
            for level, seconds in marks
        ),
        text("response", FRAME.left + 10, FRAME.top + 14, class_="strong"),
        *([text("● service", FRAME.left + 90, FRAME.top + 14, class_="dot")] if marks else []),
    ]  # fmt: skip
    return drawing(HEIGHT, f"Latency by percentile, up to {format_duration(histogram[-1][0])}.", parts)
