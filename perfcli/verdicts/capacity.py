"""The search for the highest load that holds the SLOs: double until it fails, bisect, confirm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from perfcli.errors import ExitCode
from perfcli.records.capacity import CapacityOutcome, CapacityResult, LoadKind, Probe

CONFIRMATIONS = 2
GENERATOR_TRIES = 3
"""The generator is the limit when it was at one load so many times in a row; once may be a neighbour's burst."""
KNEE = 2.0

Prober = Callable[[float, bool], Probe]
"""Tries a load; the second argument says that this is to confirm the answer."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How to search.

    Attributes:
        start: First load to try.
        by: Arrivals per second, or users, of which there are whole ones only.
        lowest: Below this load there is no capacity.
        precision: The answer and the lowest load that fails differ by at most this ratio.
        max_probes: Confirmations included.
    """

    start: float
    by: LoadKind = "rate"
    lowest: float = 1.0
    precision: float = 0.05
    max_probes: int = 16


@dataclass(slots=True)
class Search:
    """What a search has found so far; an interruption loses no probe that was complete.

    Attributes:
        probes: In the order they were made.
        held: Loads that held and were not refuted, ascending.
        failed: Loads that did not, ascending.
        outcome: None while the search goes on.
        reason: Why there is no capacity; empty when there is one.
    """

    probes: list[Probe] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    outcome: CapacityOutcome | None = None
    reason: str = ""

    @property
    def capacity(self) -> float | None:
        """The answer; None before it is found."""
        return self.held[-1] if self.outcome == "found" else None

    @property
    def upper(self) -> float | None:
        """Lowest load that failed."""
        return self.failed[0] if self.failed else None


def search_capacity(probe: Prober, plan: SearchPlan, search: Search) -> None:
    """Fill in a search, probe by probe, until it has an outcome.

    An overloaded service answers as many requests per second as it can, so that the throughput of a probe that failed
    says where the capacity must be, and is tried before the interval is halved.
    """
    load = max(plan.start, plan.lowest)
    confirmed = 0
    while search.outcome is None:
        if len(search.probes) == plan.max_probes:
            _end(search, "unconfirmed", f"{plan.max_probes} probes were not enough to be sure")
            return
        confirming = _settled(search, plan) and load == search.held[-1]
        found = probe(load, confirming)
        search.probes.append(found)
        if found.outcome == "generator-bound":
            last = [(each.load, each.outcome) for each in search.probes[-GENERATOR_TRIES:]]
            if last == [(load, found.outcome)] * GENERATOR_TRIES:
                _end(search, "generator-bound", found.reason)
            continue
        if found.outcome == "holds":
            confirmed = confirmed + 1 if confirming else 0
            if not confirming:
                search.held = sorted({*search.held, load})
            if confirmed == CONFIRMATIONS:
                _end(search, "found", "")
        elif confirming and found.outcome == "inconclusive":
            _end(search, "unconfirmed", found.reason)
        else:
            confirmed = 0
            _refute(search, load)
            if load <= plan.lowest:
                _end(search, "below", f"at {load:g} already: {found.reason}")
        if search.outcome is None:
            load = _next(search, plan)


def find_knee(probes: Sequence[Probe]) -> float | None:
    """Return the highest load tried whose median latency is at most twice that of the lowest load.

    None with fewer than two loads, or when the latency of the lowest is not known.
    """
    medians = {probe.load: probe.p50_s for probe in sorted(probes, key=lambda probe: probe.load)}
    lowest_s = next(iter(medians.values()), None)
    if len(medians) < 2 or lowest_s is None:
        return None
    return max(load for load, median_s in medians.items() if median_s is not None and median_s <= KNEE * lowest_s)


def exit_code(result: CapacityResult) -> ExitCode:
    """Return what the process ends with."""
    codes = {"found": ExitCode.OK, "below": ExitCode.FAILED}
    return codes.get(result.outcome, ExitCode.INCONCLUSIVE)


def _end(search: Search, outcome: CapacityOutcome, reason: str) -> None:
    search.outcome, search.reason = outcome, reason


def _refute(search: Search, load: float) -> None:
    """A load that failed once does not hold, whatever it or a higher one did before."""
    search.held = [held for held in search.held if held < load]
    search.failed = sorted({*search.failed, load})


def _settled(search: Search, plan: SearchPlan) -> bool:
    """The lowest load that failed is next to the highest that held."""
    if not search.held or not search.failed:
        return False
    held, failed = search.held[-1], search.failed[0]
    return failed / held <= 1 + plan.precision or (plan.by == "users" and failed - held <= 1)


def _next(search: Search, plan: SearchPlan) -> float:
    if not search.failed:
        return search.held[-1] * 2
    failed = search.failed[0]
    if not search.held:
        return max(plan.lowest, _whole(failed / 2, plan))
    held = search.held[-1]
    if _settled(search, plan):
        return held
    limit = min((probe.throughput_rps or 0.0) for probe in search.probes if probe.load == failed)
    around = (limit * (1 - 0.4 * plan.precision), limit * (1 + 0.4 * plan.precision)) if plan.by == "rate" else ()
    for guess in around:
        if held * (1 + plan.precision / 4) < guess < failed / (1 + plan.precision / 4):
            return guess
    between = _whole(math.sqrt(held * failed), plan)
    return between if held < between < failed else held + 1


def _whole(load: float, plan: SearchPlan) -> float:
    return float(max(1, round(load))) if plan.by == "users" else load
