"""A distribution of latencies in few numbers: enough to draw a second of a run, and exact to add up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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

    def classes(self) -> Iterator[LatencyClass]:
        """Yield the classes that hold durations, the shortest first."""
        start_ns = self.from_ns
        for count in self.counts:
            end_ns = start_ns + class_width_ns(start_ns)
            if count:
                yield LatencyClass(start_ns, end_ns, count)
            start_ns = end_ns


def count_latencies(durations: Mapping[int, int]) -> LatencyCounts | None:
    """Put durations into classes; None when there are none.

    Args:
        durations: How often each duration in nanoseconds was seen.
    """
    counts: dict[int, int] = {}
    for duration_ns, count in durations.items():
        start_ns = duration_ns - duration_ns % class_width_ns(duration_ns)
        counts[start_ns] = counts.get(start_ns, 0) + count
    if not counts:
        return None
    first_ns, last_ns = min(counts), max(counts)
    successive = []
    start_ns = first_ns
    while start_ns <= last_ns:
        successive.append(counts.get(start_ns, 0))
        start_ns += class_width_ns(start_ns)
    return LatencyCounts(first_ns, tuple(successive))


def add_latencies(parts: Iterable[LatencyCounts]) -> LatencyCounts | None:
    """Add distributions up, class by class; None without any."""
    counts: dict[int, int] = {}
    for part in parts:
        for start_ns, _, count in part.classes():
            counts[start_ns] = counts.get(start_ns, 0) + count
    return count_latencies(counts)


def class_width_ns(duration_ns: int) -> int:
    """Return the width of the class that a duration falls into."""
    return 1 << max(0, duration_ns.bit_length() - LEADING_DIGITS)
