"""The distribution of durations: how many calls took how long, the median with its interval, and the outliers."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from perfcli.records import LatencySummary
from perfcli.reporters.histogram import bins
from perfcli.reporters.html.svg import (
    WIDTH,
    Frame,
    Scale,
    bottom_axis,
    drawing,
    element,
    left_axis,
    rule,
    text,
    ticks,
    title,
)
from perfcli.statistics import outliers
from perfcli.units import format_count, format_duration

HEIGHT = 260.0
FRAME = Frame(left=56, top=28, right=WIDTH - 16, bottom=HEIGHT - 34)
BINS = 48
REACH = 3.0
"""The axis is at most so many times as long as the range of the ordinary calls: else they would be one column."""


def draw_distribution(samples_s: Sequence[float], latency: LatencySummary) -> Markup:
    """Draw the durations of the unprofiled calls; outliers have a colour and a mark of their own."""
    strange = set(outliers(samples_s))
    ordinary = [value for position, value in enumerate(samples_s) if position not in strange]
    odd = [samples_s[position] for position in sorted(strange)]
    low, high = _range(samples_s, ordinary)
    counts, odd_counts = bins(ordinary, low, high, BINS), bins(odd, low, high, BINS)
    most = max(one + other for one, other in zip(counts, odd_counts, strict=True))
    x, y = Scale(low, high, FRAME.left, FRAME.right), Scale(0, most, FRAME.bottom, FRAME.top)
    calls, outside = format_count(len(samples_s), "call"), format_count(len(odd), "outlier")
    label = f"Histogram of {calls}, median {format_duration(latency.median_s)}, {outside}."
    parts = [
        *left_axis(FRAME, y, [value for value in ticks(0, most) if value == int(value)], lambda value: f"{value:.0f}"),
        *_interval(x, latency),
        *_bars(counts, odd_counts, x, y, max(samples_s)),
        *bottom_axis(FRAME, x, ticks(low, high, 8), format_duration),
        *_median(x, latency),
        *_beyond(high, max(samples_s)),
        *(text("▼", x(value), FRAME.top - 4, class_="outlier", text_anchor="middle") for value in odd),
    ]
    return drawing(HEIGHT, label, parts)


def _range(values: Sequence[float], ordinary: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), min(max(values), min(ordinary) + REACH * (max(ordinary) - min(ordinary)))
    return (low, high) if high > low else (low * 0.99, high * 1.01 + 1e-9)


def _bars(counts: Sequence[int], odd_counts: Sequence[int], x: Scale, y: Scale, longest_s: float) -> list[str]:
    """Draw a column for each class; the last one holds all that is beyond the axis."""
    step = (x.high - x.low) / len(counts)
    width = (x.end - x.start) / len(counts)
    drawn = []
    for position, (ordinary, odd) in enumerate(zip(counts, odd_counts, strict=True)):
        left, base = x.start + position * width, 0
        end_s = longest_s if position == len(counts) - 1 else x.low + (position + 1) * step
        place = f"{format_duration(x.low + position * step)} to {format_duration(end_s)}"
        for count, class_, noun in ((ordinary, "bar", "calls"), (odd, "bar odd", "outliers")):
            if count:
                top = y(base + count)
                drawn.append(
                    element(
                        "rect",
                        title(f"{place}: {count} {noun}"),
                        x=left + 0.5,
                        y=top,
                        width=width - 1,
                        height=y(base) - top,
                        class_=class_,
                    )
                )
                base += count
    return drawn


def _beyond(high_s: float, longest_s: float) -> list[str]:
    if longest_s <= high_s:
        return []
    words = f"the last column: up to {format_duration(longest_s)}"
    return [text(words, FRAME.right, FRAME.top + 12, class_="tick", text_anchor="end")]


def _interval(x: Scale, latency: LatencySummary) -> list[str]:
    if latency.ci_low_s is None or latency.ci_high_s is None:
        return []
    left, right = x(latency.ci_low_s), x(latency.ci_high_s)
    height = FRAME.bottom - FRAME.top
    return [element("rect", x=left, y=FRAME.top, width=right - left, height=height, class_="interval")]


def _median(x: Scale, latency: LatencySummary) -> list[str]:
    place = x(latency.median_s)
    anchor = "start" if place < WIDTH / 2 else "end"
    shift = 6 if anchor == "start" else -6
    words = f"median {format_duration(latency.median_s)}"
    return [
        rule(place, FRAME, "median"),
        text(words, place + shift, FRAME.top + 12, class_="strong", text_anchor=anchor),
    ]
