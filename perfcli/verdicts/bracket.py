"""What the probes of a search for capacity have shown: which loads held, which did not, and which to try next."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from perfcli.records.capacity import LoadKind, Probe

KEPT_UP = 0.97
"""Answers per arrival: with fewer the service is overloaded, with more a failure may be that of a moment."""
FEW_MISSING = 10
"""So many requests may be on their way at the end of any probe."""
BELOW, ABOVE = 0.3, 0.55
"""Of the precision: so far from what an overloaded service answers the answer is looked for first. Both together are
less than the precision, and so much above it a queue of hundreds of requests per second shows within seconds."""
APART = 0.25
"""Of the precision: a guess nearer to a load already tried tells nothing new."""


@dataclass(slots=True)
class Bracket:
    """Loads that held and loads that failed, and the distance at which they are near enough.

    A burst of other work makes a load fail that the service holds, and whatever is tried afterwards would lie below
    it. So one failure is a doubt as long as the service kept up with the arrivals, and the load is tried once more.

    Attributes:
        by: Arrivals per second, or users, of which there are whole ones only.
        lowest: Below this load there is no capacity.
        precision: The highest load that holds and the lowest that fails are to differ by at most this ratio.
        held: Not refuted, ascending.
        failed: Ascending.
        doubtful: Load that failed, and is to be tried once more.
        answered_rps: What the service answered of the loads that failed.
    """

    by: LoadKind
    lowest: float
    precision: float
    held: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    doubtful: float | None = None
    answered_rps: dict[float, float] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """The lowest load that failed is next to the highest that held."""
        if not self.held or not self.failed:
            return False
        held, failed = self.held[-1], self.failed[0]
        return failed / held <= 1 + self.precision or (self.by == "users" and failed - held <= 1)

    def hold(self, load: float) -> None:
        """Note that a load held."""
        self.doubtful = None
        self.held = sorted({*self.held, load})

    def fail(self, probe: Probe) -> None:
        """Note that a load failed."""
        answered_rps = probe.throughput_rps or 0.0
        if self.doubtful is None and not self._overloads(probe):
            self.doubtful = probe.load
            return
        self.doubtful = None
        self.held = [held for held in self.held if held < probe.load]
        self.failed = sorted({*self.failed, probe.load})
        self.answered_rps[probe.load] = answered_rps

    def next_load(self) -> float:
        """Return the load to try next; at least one was tried before."""
        if self.doubtful is not None:
            return self.doubtful
        if not self.failed:
            return self.held[-1] * 2
        failed = self.failed[0]
        if not self.held:
            return max(self.lowest, self._whole(failed / 2))
        held = self.held[-1]
        if self.is_settled:
            return held
        for guess in self._guesses():
            if held * (1 + APART * self.precision) < guess < failed / (1 + APART * self.precision):
                return guess
        between = self._whole(math.sqrt(held * failed))
        return between if held < between < failed else held + 1

    def back_off(self, load: float) -> float:
        """Return what to try instead of a load that the machine is too busy for: a lower one that is not known to hold.

        Where there is none, it is the same load again.
        """
        self.doubtful = None
        least = self.held[-1] * (1 + APART * self.precision) if self.held else 0.0
        lower = self._whole(math.sqrt(self.held[-1] * load) if self.held else load / 2)
        return max(self.lowest, lower) if least < lower < load else load

    def _overloads(self, probe: Probe) -> bool:
        if self.by == "users":
            return False
        missing_rps = probe.load - (probe.throughput_rps or 0.0)
        return missing_rps > (1 - KEPT_UP) * probe.load and missing_rps * probe.elapsed_s > FEW_MISSING

    def _guesses(self) -> tuple[float, ...]:
        """An overloaded service answers as many requests as it can, and the capacity must be about there."""
        if self.by == "users":
            return ()
        answered_rps = self.answered_rps[max(self.answered_rps)]
        return answered_rps * (1 - BELOW * self.precision), answered_rps * (1 + ABOVE * self.precision)

    def _whole(self, load: float) -> float:
        return float(max(1, round(load))) if self.by == "users" else load
