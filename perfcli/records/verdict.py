"""What the SLOs say of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perfcli.units import Unit

Outcome = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True, slots=True)
class SloVerdict:
    """One SLO, what was measured, and whether it holds.

    Attributes:
        slo: As it was written.
        metric: Name of what was measured, such as `p99`.
        endpoint: Where; None for all requests together.
        operator: `<`, `<=`, `>`, `>=` or `==`.
        limit: In `unit`.
        measured: In `unit`; None when nothing was measured.
        unit: Of `limit` and `measured`.
        margin: Distance from the limit as a share of it, negative when the SLO is missed; None without a measurement,
            or with a limit of 0.
        samples: What `measured` was computed from.
        samples_needed: How many it takes; None when any number will do.
        outcome: `inconclusive` is neither: more samples, or another generator, would tell.
        reason: Why it is not a pass, in plain language; empty for a pass.
    """

    slo: str
    metric: str
    endpoint: str | None
    operator: str
    limit: float
    measured: float | None
    unit: Unit
    margin: float | None
    samples: int
    samples_needed: int | None
    outcome: Outcome
    reason: str
