"""One start for all processes of a run: how far a worker's clock is ahead of the master's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """A question for the time, and its answer.

    Attributes:
        asked_ns: When it was asked, on our clock.
        told_ns: What the other clock showed.
        heard_ns: When the answer came, on our clock.
    """

    asked_ns: int
    told_ns: int
    heard_ns: int

    @property
    def round_trip_ns(self) -> int:
        """How long the answer took."""
        return self.heard_ns - self.asked_ns


def offset_ns(readings: Sequence[Reading]) -> int:
    """Return what to add to a time of our clock to have that of the other.

    The other clock was read between question and answer, so every reading gives a lowest and a highest offset
    (Cristian 1989, "Probabilistic clock synchronization"); true is what lies within all of them. Where 0 does, the two
    are one clock: processes of one machine share theirs, and those of two machines count from when each was started.
    """
    lowest = max(reading.told_ns - reading.heard_ns for reading in readings)
    highest = min(reading.told_ns - reading.asked_ns for reading in readings)
    return 0 if lowest <= 0 <= highest else (lowest + highest) // 2
