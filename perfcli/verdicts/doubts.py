"""What a reader should know of the probes of a search for capacity before the answer is believed."""

from __future__ import annotations

from collections.abc import Sequence

from perfcli.records.capacity import SILENT, LoadKind, Probe
from perfcli.records.profile import Advice
from perfcli.units import format_load


def doubt_probes(probes: Sequence[Probe], by: LoadKind) -> tuple[Advice, ...]:
    """Return what speaks against the probes: loads that both held and failed, and a late generator."""
    loads = {outcome: {probe.load for probe in probes if probe.outcome == outcome} for outcome in ("holds", "fails")}
    both = sorted(loads["holds"] & loads["fails"])
    silent = sum(probe.outcome in SILENT for probe in probes)
    said = [f"{', '.join(format_load(load, by) for load in both)} both held and failed"] if both else []
    said += [f"in {silent} of {len(probes)} the generator was late or the machine too busy"] if silent else []
    if not said:
        return ()
    return (
        Advice(
            "disturbed",
            f"Not every probe can be believed: {'; '.join(said)}.",
            "Give generator and service a machine, or cores, of their own, or search again when this one is quiet.",
        ),
    )
