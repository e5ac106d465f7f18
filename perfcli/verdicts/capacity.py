"""The search for the highest load that holds the SLOs: double until it fails, bisect, confirm."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from perfcli.errors import ExitCode
from perfcli.records.capacity import SILENT, CapacityOutcome, CapacityResult, LoadKind, Probe
from perfcli.units import format_duration, format_load
from perfcli.verdicts.bracket import Bracket

CONFIRMATIONS = 2
GENERATOR_TRIES = 3
"""The generator is the limit when it was at one load so many times in a row; once may be a neighbour's burst."""
DISTURBED_TRIES = 2
"""When the machine was too busy for one load so many times in a row, a lower one may tell more."""
INCONCLUSIVE_TRIES = 2
"""What says nothing so many times in a row will not say more; once it may have lost a second of samples to warm-up."""
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
        max_probes: Confirmations included; those do not count for which the machine was too busy.
        max_time_s: No probe is started after this time.
    """

    start: float
    by: LoadKind = "rate"
    lowest: float = 1.0
    precision: float = 0.05
    max_probes: int = 30
    max_time_s: float = math.inf


@dataclass(slots=True)
class Search:
    """What a search has found so far; an interruption loses no probe that was complete.

    Attributes:
        probes: In the order they were made.
        held: Highest load that held and was not refuted, confirmed or not.
        upper: Lowest load that failed.
        confirmations: How often `held` was confirmed.
        outcome: None while the search goes on.
        reason: Why there is no capacity; empty when there is one.
    """

    probes: list[Probe] = field(default_factory=list)
    held: float | None = None
    upper: float | None = None
    confirmations: int = 0
    outcome: CapacityOutcome | None = None
    reason: str = ""

    @property
    def capacity(self) -> float | None:
        """The answer; None before it is found."""
        return self.held if self.outcome == "found" else None


def search_capacity(
    probe: Prober, plan: SearchPlan, search: Search, clock: Callable[[], float] = time.monotonic
) -> None:
    """Fill in a search, probe by probe, until it has an outcome."""
    bracket = Bracket(plan.by, plan.lowest, plan.precision)
    started_s = clock()
    load = max(plan.start, plan.lowest)
    while search.outcome is None:
        spent = _spent(plan, search, clock() - started_s)
        if spent:
            give_up(search, plan, f"{spent} to be sure")
            return
        confirming = bracket.is_settled and load == search.held
        found = probe(load, confirming)
        search.probes.append(found)
        if found.outcome == "generator-bound":
            _end_where_generator_ends(search, plan)
            continue
        if found.outcome == "disturbed":
            load = bracket.back_off(load) if _in_a_row(search.probes) >= DISTURBED_TRIES else load
            continue
        if found.outcome == "inconclusive":
            if _in_a_row(search.probes) >= INCONCLUSIVE_TRIES:
                _end(search, "unconfirmed", found.reason)
            continue
        if found.outcome == "holds":
            bracket.hold(load)
        else:
            bracket.fail(found)
        held = bracket.held[-1] if bracket.held else None
        passed = confirming and found.outcome == "holds"
        search.confirmations = (search.confirmations if held == search.held else 0) + passed
        search.held, search.upper = held, bracket.failed[0] if bracket.failed else None
        if search.confirmations == CONFIRMATIONS:
            _end(search, "found", "")
        elif search.upper is not None and search.upper <= plan.lowest:
            _end(search, "below", f"at {format_load(load, plan.by)} already: {found.reason}")
        load = bracket.next_load()


def give_up(search: Search, plan: SearchPlan, reason: str) -> None:
    """End a search that cannot go on with what is known so far."""
    _end(search, "unconfirmed", f"{reason}; {_so_far(search, plan)}{_silent(search)}")


def find_knee(probes: Sequence[Probe]) -> float | None:
    """Return the highest load whose median latency is at most twice the shortest; None when none above it is longer.

    Of a load that was tried several times the shortest counts, and where the generator was late none does.
    """
    medians: dict[float, float] = {}
    for probe in probes:
        if probe.p50_s is not None and probe.outcome not in SILENT:
            medians[probe.load] = min(probe.p50_s, medians.get(probe.load, math.inf))
    if not medians:
        return None
    shortest_s = min(medians.values())
    knee = max(load for load, median_s in medians.items() if median_s <= KNEE * shortest_s)
    return knee if knee < max(medians) else None


def exit_code(result: CapacityResult) -> ExitCode:
    """Return what the process ends with: inconclusive unless one was found or the lowest failed."""
    codes = {"found": ExitCode.OK, "below": ExitCode.FAILED}
    return codes.get(result.outcome, ExitCode.INCONCLUSIVE)


def _end(search: Search, outcome: CapacityOutcome, reason: str) -> None:
    search.outcome, search.reason = outcome, reason


def _end_where_generator_ends(search: Search, plan: SearchPlan) -> None:
    last = search.probes[-1]
    if _in_a_row(search.probes) >= GENERATOR_TRIES:
        _end(search, "generator-bound", f"at {format_load(last.load, plan.by)} {last.reason}; {_so_far(search, plan)}")


def _in_a_row(probes: Sequence[Probe]) -> int:
    """Return how often the last load was tried with the last outcome, without anything else in between."""
    last = (probes[-1].load, probes[-1].outcome)
    return len(list(takewhile(lambda probe: (probe.load, probe.outcome) == last, reversed(probes))))


def _spent(plan: SearchPlan, search: Search, elapsed_s: float) -> str:
    """Say which of the bounds of the search is reached; empty when none is."""
    probes = sum(probe.outcome != "disturbed" for probe in search.probes)
    if probes >= plan.max_probes:
        return f"{probes} probes (--max-probes) were not enough"
    return f"{format_duration(plan.max_time_s)} (--max-time) were not enough" if elapsed_s >= plan.max_time_s else ""


def _so_far(search: Search, plan: SearchPlan) -> str:
    """Say what is known of the capacity although the search has no answer."""
    said = ["nothing held" if search.held is None else f"{format_load(search.held, plan.by)} held"]
    if search.confirmations:
        said[0] += ", and was confirmed once"
    if search.upper is not None:
        said.append(f"{format_load(search.upper, plan.by)} did not")
    return ", ".join(said)


def _silent(search: Search) -> str:
    """Say in how many probes something else than the service was the limit; empty when in none."""
    outcomes = [probe.outcome for probe in search.probes]
    blamed = (("generator-bound", "the generator could not keep up"), ("disturbed", "the machine was too busy"))
    return "".join(
        f"; in {outcomes.count(outcome)} of {len(outcomes)} probes {what}"
        for outcome, what in blamed
        if outcome in outcomes
    )
