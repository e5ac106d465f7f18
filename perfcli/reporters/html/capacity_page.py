"""The drawing of a search for capacity: latency over load, with the answer and the knee."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from markupsafe import Markup

from perfcli.records.capacity import SILENT, CapacityResult, Probe
from perfcli.reporters.html.curves import Curve, draw_curves
from perfcli.units import format_load

_PERCENTILES: tuple[tuple[str, Callable[[Probe], float | None]], ...] = (
    ("p50", lambda probe: probe.p50_s),
    ("p95", lambda probe: probe.p95_s),
    ("p99", lambda probe: probe.p99_s),
)


def capacity_drawings(result: CapacityResult) -> dict[str, Markup]:
    """Return the drawings by name; one that has nothing to show is missing."""
    curves = [
        Curve(name, _points(result.probes, read, silent=False), _points(result.probes, read, silent=True))
        for name, read in _PERCENTILES
    ]
    known = [curve for curve in curves if any(seconds is not None for _, seconds in curve.every)]
    if not known:
        return {}
    marks = [(load, name) for load, name in ((result.capacity, "capacity"), (result.knee, "knee")) if load is not None]
    band = None if result.capacity is None or result.upper is None else (result.capacity, result.upper)
    return {"latency": draw_curves(known, load_writer(result), marks=marks, band=band)}


def _points(
    probes: Iterable[Probe], read: Callable[[Probe], float | None], *, silent: bool
) -> list[tuple[float, float | None]]:
    """Return load and latency of the probes that say nothing of the service, or of those that do."""
    return [(probe.load, read(probe) or None) for probe in probes if (probe.outcome in SILENT) is silent]


def load_writer(result: CapacityResult) -> Callable[[float], str]:
    """Return what writes a load of this search."""
    return lambda load: format_load(load, result.by)
