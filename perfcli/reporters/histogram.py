"""Count values in classes, and draw the counts in the characters of a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from perfcli.records.latency_counts import LEADING_DIGITS, LatencyCounts, class_width_ns
from perfcli.reporters.sparkline import BLOCKS, sparkline
from perfcli.units import format_duration


def bins(values: Sequence[float], low: float, high: float, count: int) -> list[int]:
    """Count values in equal parts of the range from `low` to `high`, its upper end included."""
    counts = [0] * count
    for value in values:
        counts[min(count - 1, int((value - low) / (high - low) * count))] += 1
    return counts


def histogram_line(values: Sequence[float], width: int) -> str:
    """Draw how many values there are in each part of their range; a part without any is a space."""
    low, high = min(values), max(values)
    if low == high:
        return sparkline([len(values)])
    return sparkline([count or None for count in bins(values, low, high, width)])


def histogram_rows(counts: LatencyCounts, width: int, height: int) -> list[str]:
    """Draw classes of latencies side by side, as high as their number; the last row names the shortest and longest.

    Args:
        counts: What to draw; classes are joined until they fit, and as wide as there is room for.
        width: Most characters of a row.
        height: Rows of the bars.
    """
    samples, low_ns, high_ns = _side_by_side(counts, width)
    each = max(1, width // len(samples))
    most = max(samples)
    # Whoever was there is seen: a part of a block is a whole one.
    eighths = [-(-count * height * len(BLOCKS) // most) for count in samples]
    rows = []
    for row in reversed(range(height)):
        heights = [min(len(BLOCKS), eighth - row * len(BLOCKS)) for eighth in eighths]
        rows.append("".join((BLOCKS[part - 1] if part > 0 else " ") * each for part in heights).rstrip())
    low, high = format_duration(low_ns / 1e9), format_duration(high_ns / 1e9)
    return [*rows, f"{low}{high:>{max(len(high) + 1, len(samples) * each - len(low))}}"]


def _side_by_side(counts: LatencyCounts, width: int) -> tuple[list[int], int, int]:
    """Return the counts of successive classes, empty ones included, and where the first begins and the last ends."""
    for digits in range(LEADING_DIGITS, 0, -1):
        classes = counts.classes(digits)
        by_start = {each.start_ns: each.samples for each in classes}
        start_ns, samples = classes[0].start_ns, []
        while start_ns < classes[-1].end_ns:
            samples.append(by_start.get(start_ns, 0))
            start_ns += class_width_ns(start_ns, digits)
        if len(samples) <= width:
            break
    return samples, classes[0].start_ns, classes[-1].end_ns
