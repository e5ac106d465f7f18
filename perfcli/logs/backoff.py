"""How long to leave a store alone after it failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with jitter, so that many workers do not return at the same moment.

    Attributes:
        draw: Returns a random number from 0 to 1.
        first_s: Longest wait after the first failure.
        longest_s: Longest wait ever.
    """

    draw: Callable[[], float]
    first_s: float = 0.25
    longest_s: float = 15.0

    def delay_s(self, failures: int) -> float:
        """Return the wait after so many failures in a row: it doubles, and is drawn from its upper half."""
        # 2.0 ** 1024 overflows; a store may well be away that often.
        bound = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 64))
        return bound * (0.5 + 0.5 * self.draw())
