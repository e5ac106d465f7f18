"""The drawings of a comparison: how sure the ratios are, and what moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from perfcli.records.comparison import BothDistributions, Comparison, MetricChange, Movement
from perfcli.reporters.html.flame_graph import draw_flame_changes
from perfcli.reporters.html.svg import (
    WIDTH,
    Frame,
    Scale,
    bottom_axis,
    drawing,
    element,
    left_axis,
    legend,
    path,
    rule,
    text,
    ticks,
    title,
)
from perfcli.units import format_change, format_difference, format_duration, format_ratio

ROW = 30.0
LEFT = 330.0
MOST_PARTS = 20
BOTH = Frame(56, 28, WIDTH - 16, 226)


def comparison_drawings(comparison: Comparison) -> dict[str, Markup]:
    """Return the drawings by name; one that has nothing to show is missing."""
    drawings = {"ratios": draw_ratios(comparison.metrics, comparison.min_effect)}
    if comparison.distributions is not None:
        drawings["both"] = draw_both(comparison.distributions, (comparison.base.samples, comparison.new.samples))
    if comparison.call_tree:
        drawings["flame"] = draw_flame_changes(comparison.call_tree)
    if comparison.moved:
        drawings["moved"] = draw_movements(comparison.moved[:MOST_PARTS])
    return drawings


def draw_both(both: BothDistributions, samples: tuple[int, int]) -> Markup:
    """Draw two distributions over each other, each class by its share of all calls of its own side.

    Args:
        both: Calls by class.
        samples: Calls of the base and of the new run, the slowest included.
    """
    shares = [
        [count / all_calls for count in counts]
        for counts, all_calls in zip((both.base, both.new), samples, strict=True)
    ]
    x = Scale(both.low_s, both.high_s, BOTH.left, BOTH.right)
    y = Scale(0, max(map(max, shares)), BOTH.bottom, BOTH.top)
    width_s = (both.high_s - both.low_s) / len(both.base)
    parts = [
        *left_axis(BOTH, y, ticks(0, y.high), format_ratio),
        *bottom_axis(BOTH, x, ticks(x.low, x.high, 8), format_duration),
    ]
    for position, heights in enumerate(shares):
        steps = [
            (x(both.low_s + edge * width_s), y(share))
            for place, share in enumerate(heights)
            for edge in (place, place + 1)
        ]
        parts.append(element("path", d=path(steps), class_=f"line s{position}"))
    for place, (base, new) in enumerate(zip(*shares, strict=True)):
        start_s = both.low_s + place * width_s
        left, right = x(start_s), x(start_s + width_s)
        words = (
            f"{format_duration(start_s)} to {format_duration(start_s + width_s)}: "
            f"base {format_ratio(base)}, new {format_ratio(new)}"
        )
        area = {"x": left, "y": BOTH.top, "width": right - left, "height": BOTH.bottom - BOTH.top}
        parts.append(element("rect", title(words), **area, class_="over"))
    parts += legend(["base", "new"], BOTH.left)
    return drawing(260, f"Histograms of {samples[0]} calls of the base and {samples[1]} of the new run.", parts)


def draw_ratios(metrics: Sequence[MetricChange], min_effect: float) -> Markup:
    """Draw each ratio with its interval; the band is what is too small to matter."""
    low = min(1 - 1.5 * min_effect, *(metric.ci_low for metric in metrics))
    high = max(1 + 1.5 * min_effect, *(metric.ci_high for metric in metrics))
    frame = Frame(LEFT, 6, WIDTH - 90, 6 + ROW * len(metrics))
    x = Scale(low, high, frame.left, frame.right)
    left, right = x(1 - min_effect), x(1 + min_effect)
    parts = [
        element("rect", x=left, y=frame.top, width=right - left, height=frame.bottom - frame.top, class_="idle"),
        rule(x(1), frame, "axis"),
        *bottom_axis(frame, x, [1 + change for change in ticks(low - 1, high - 1, 6)], format_change),
    ]
    for position, metric in enumerate(metrics):
        y = frame.top + (position + 0.5) * ROW
        interval = f"{format_change(metric.ci_low)} to {format_change(metric.ci_high)}"
        words = f"{metric.metric} {format_change(metric.ratio)}, {interval}"
        reaching = [(x(metric.ci_low), y), (x(metric.ci_high), y)]
        parts += [
            text(f"{metric.metric}, {metric.change}", LEFT - 10, y + 4, class_="tick", text_anchor="end"),
            element("path", title(words), d="M{} {}L{} {}".format(*reaching[0], *reaching[1]), class_="line s0"),
            element("circle", title(words), cx=x(metric.ratio), cy=y, r=5, class_="dot"),
            text(format_change(metric.ratio), frame.right + 10, y + 4, class_="strong"),
        ]
    label = "Change by percentile: " + ", ".join(f"{metric.metric} {format_change(metric.ratio)}" for metric in metrics)
    return drawing(frame.bottom + 28, label, parts)


def draw_movements(moved: Sequence[Movement]) -> Markup:
    """Draw by how much each part became longer, to the right, or shorter, to the left."""
    reach = max(math.ulp(1.0), *(abs(movement.difference_s) for movement in moved), 0.0)
    frame = Frame(LEFT, 0, WIDTH - 90, ROW * len(moved))
    x = Scale(-reach, reach, frame.left + 80, frame.right)
    parts = [rule(x(0), frame, "axis")]
    for position, movement in enumerate(moved):
        top, zero, edge = position * ROW, x(0), x(movement.difference_s)
        longer = movement.difference_s > 0
        spans = f"{format_duration(movement.base_s)} to {format_duration(movement.new_s)}"
        parts += [
            text(_short(movement.name), LEFT - 10, top + 19, class_="tick", text_anchor="end"),
            element(
                "rect",
                title(f"{movement.part} {movement.name}: {spans}"),
                x=min(zero, edge),
                y=top + 5,
                width=max(1.0, abs(edge - zero)),
                height=20,
                class_="bar odd" if longer else "bar",
            ),
            text(
                format_difference(movement.difference_s),
                edge + (6 if longer else -6),
                top + 19,
                text_anchor="start" if longer else "end",
            ),
        ]
    label = "What moved: " + ", ".join(movement.name for movement in moved)
    return drawing(frame.bottom, label, parts)


def _short(name: str, letters: int = 46) -> str:
    return name if len(name) <= letters else f"…{name[1 - letters :]}"
