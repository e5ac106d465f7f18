"""A distribution of latencies in few numbers: enough to draw a second of a run, and exact to add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LEADING_DIGITS = 3
"""Binary digits that the durations of a class share, which makes four classes of every doubling."""


class LatencyClass(NamedTuple):
    """Durations from `start_ns` on, below `end_ns`, and how many there are."""

    start_ns: int
    end_ns: int
    samples: int


@dataclass(frozen=True, slots=True)
class LatencyCounts:
    """How many durations fall into each of successive classes; a class shares its three leading binary digits.

    Attributes:
        from_ns: Begin of the first class.
        counts: Number of durations by class, the shortest first; the first and the last are positive.
    """

    from_ns: int
    counts: tuple[int, ...]

    def classes(self, digits: int = LEADING_DIGITS) -> list[LatencyClass]:
        """Return the classes that hold durations, the shortest first; fewer digits join them two by two."""
        found: list[LatencyClass] = []
        fine_ns = self.from_ns
        for count in self.counts:
            width_ns = class_width_ns(fine_ns, digits)
            start_ns = fine_ns - fine_ns % width_ns
            if count and found and found[-1].start_ns == start_ns:
                found[-1] = LatencyClass(start_ns, found[-1].end_ns, found[-1].samples + count)
            elif count:
                found.append(LatencyClass(start_ns, start_ns + width_ns, count))
            fine_ns += class_width_ns(fine_ns)
        return found


def count_latencies(durations: Mapping[int, int]) -> LatencyCounts | None:
    """Put durations into classes; None when there are none.

    Args:
        durations: How often each duration in nanoseconds was seen.
    """
    counts = [0] * _MOST_CLASSES
    for duration_ns, count in durations.items():
        counts[_number(duration_ns)] += count
    return _without_edges(counts)


def add_latencies(parts: Iterable[LatencyCounts]) -> LatencyCounts | None:
    """Add distributions up, class by class; None without any."""
    counts = [0] * _MOST_CLASSES
    for part in parts:
        for number, count in enumerate(part.counts, _number(part.from_ns)):
            counts[number] += count
    return _without_edges(counts)


def class_width_ns(duration_ns: int, digits: int = LEADING_DIGITS) -> int:
    """Return the width of the class that a duration falls into, by as many leading binary digits."""
    return 1 << max(0, duration_ns.bit_length() - digits)


def _number(duration_ns: int) -> int:
    """Return the place of a duration's class among all classes, the shortest first."""
    shift = max(0, duration_ns.bit_length() - LEADING_DIGITS)
    return (shift << LEADING_DIGITS - 1) + (duration_ns >> shift)


_MOST_CLASSES = _number(1 << 62)
"""Enough for a century."""


def _without_edges(counts: Sequence[int]) -> LatencyCounts | None:
    """Drop the empty classes before the first and behind the last duration."""
    held = [number for number, count in enumerate(counts) if count]
    if not held:
        return None
    shift = max(0, (held[0] >> LEADING_DIGITS - 1) - 1)
    from_ns = held[0] - (shift << LEADING_DIGITS - 1) << shift
    return LatencyCounts(from_ns, tuple(counts[held[0] : held[-1] + 1]))
