"""Horizontal bars: parts of a whole in one line, and durations below each other."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from perfcli.reporters.html.svg import WIDTH, Scale, drawing, element, text, title
from perfcli.units import format_duration, format_ratio

PALETTE = 8
"""Number of colours that the style sheet defines as .c0 to .c7."""

LETTER = 7.2
"""Width of an average letter; a label that would be wider than its part is left out."""


def draw_shares(shares: Sequence[tuple[str, float]]) -> Markup:
    """Draw parts of a whole as one bar; names stand inside where there is room, the table below has them all.

    Args:
        shares: Name and part, from 0 to 1.
    """
    scale = Scale(0, 1, 0, WIDTH)
    parts: list[str] = []
    done = 0.0
    for position, (name, share) in enumerate(shares):
        left, right = scale(done), scale(done + share)
        done += share
        words = f"{name} {format_ratio(share)}"
        parts.append(
            element(
                "rect", title(words), x=left, y=0, width=right - left, height=44, class_=f"part c{position % PALETTE}"
            )
        )
        fitting = [each for each in (words, name) if len(each) * LETTER < right - left]
        if fitting:
            parts.append(text(fitting[0], (left + right) / 2, 27, class_="inside", text_anchor="middle"))
    label = "Shares: " + ", ".join(f"{name} {format_ratio(share)}" for name, share in shares)
    return drawing(44, label, parts)


def draw_durations(durations: Sequence[tuple[str, float]]) -> Markup:
    """Draw durations below each other on one scale from 0.

    Args:
        durations: Name and seconds; at least one is positive.
    """
    left, row = 190.0, 30.0
    scale = Scale(0, max(seconds for _, seconds in durations), left, WIDTH - 90)
    parts: list[str] = []
    for position, (name, seconds) in enumerate(durations):
        top = position * row
        words = format_duration(seconds)
        width = max(1.0, scale(seconds) - left)
        parts += [
            text(name, left - 8, top + 19, class_="tick", text_anchor="end"),
            element("rect", title(f"{name}: {words}"), x=left, y=top + 5, width=width, height=20, class_="bar"),
            text(words, left + width + 6, top + 19, class_="strong"),
        ]
    label = "Durations: " + ", ".join(f"{name} {format_duration(seconds)}" for name, seconds in durations)
    return drawing(row * len(durations), label, parts)
