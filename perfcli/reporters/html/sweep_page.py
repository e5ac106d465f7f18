"""The drawing of a sweep: what a row costs over the size of its batch."""

from __future__ import annotations

from markupsafe import Markup

from perfcli.records.sweep import SweepResult
from perfcli.reporters.html.curves import Curve, draw_curves
from perfcli.units import format_count


def sweep_drawings(result: SweepResult) -> dict[str, Markup]:
    """Return the drawings by name; one that has nothing to show is missing."""
    if not result.points:
        return {}
    curves = [
        Curve(
            "one row" if threads is None else format_count(threads, "thread"),
            [(float(point.batch), point.row_s) for point in result.points if point.threads == threads],
        )
        for threads in dict.fromkeys(point.threads for point in result.points)
    ]
    batches = ((result.knee, "knee"), (result.recommended, "recommended"))
    marks = {float(batch): name for batch, name in batches if batch is not None}
    return {"rows": draw_curves(curves, lambda rows: f"{rows:g}", marks=list(marks.items()), logarithmic=True)}
