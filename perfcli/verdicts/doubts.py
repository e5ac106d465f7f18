"""What a reader should know of the probes of a search for capacity before the answer is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfcli.records.capacity import LoadKind, Probe
from perfcli.records.profile import Advice
from perfcli.units import format_load

LITTLE = 2.0
"""A probe at whose ends of seconds so many times more or fewer are in flight than the law says was not steady."""


def doubt_probes(probes: Sequence[Probe], by: LoadKind) -> tuple[Advice, ...]:
    """Return what speaks against the probes: loads that both held and failed, a late generator, Little's law."""
    return (*_disturbed(probes, by), *_against_littles_law(probes, by))


def _disturbed(probes: Sequence[Probe], by: LoadKind) -> Iterator[Advice]:
    loads = {outcome: {probe.load for probe in probes if probe.outcome == outcome} for outcome in ("holds", "fails")}
    both = sorted(loads["holds"] & loads["fails"])
    late = sum(probe.outcome == "generator-bound" for probe in probes)
    said = [f"{', '.join(format_load(load, by) for load in both)} both held and failed"] if both else []
    said += [f"in {late} of {len(probes)} the generator was late"] if late else []
    if said:
        yield Advice(
            "disturbed",
            f"Not every probe can be believed: {'; '.join(said)}.",
            "Give generator and service a machine, or cores, of their own, or search again when this one is quiet.",
        )


def _against_littles_law(probes: Sequence[Probe], by: LoadKind) -> Iterator[Advice]:
    ratios = {probe.load: probe.littles_ratio for probe in probes if probe.outcome == "holds" and probe.littles_ratio}
    wrong = {load: ratio for load, ratio in sorted(ratios.items()) if not 1 / LITTLE <= ratio <= LITTLE}
    if wrong:
        which = ", ".join(f"{ratio:.2f} at {format_load(load, by)}" for load, ratio in wrong.items())
        yield Advice(
            "littles_law",
            f"The requests in flight are not the rate times the latency (Little's law), but so many times as many: "
            f"{which}. Such a probe was not steady.",
            "Let each probe run longer: --probe-time 30s.",
        )
