"""Wire a sweep to a target, and what was measured to its record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfcli.payloads import Payload
    from perfcli.records.sweep import SweepResult
    from perfcli.targets.protocol import Target


def measure_sweep(
    target: Target,
    payloads: Sequence[Payload],
    batches: Sequence[int],
    threads: Sequence[int | None],
    max_time_s: float,
) -> SweepResult:
    """Measure a target in batches of these sizes with these numbers of threads."""
    from perfcli.payloads import payload_digest
    from perfcli.profiling.environment import describe_environment
    from perfcli.profiling.sweep import make_batches, run_sweep
    from perfcli.records import TargetDescription
    from perfcli.records.sweep import SweepResult
    from perfcli.verdicts.sweep import advise_on_threads, recommend

    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    environment = describe_environment()
    calls = {rows: [target.prepare(batch) for batch in make_batches(payloads, rows)] for rows in batches}
    found = run_sweep(calls, threads, max_time_s)
    points = found.points
    best = recommend(points) if points else None
    return SweepResult(
        target=TargetDescription(
            target.kind, target.name, target.method, len(payloads), max(batches), payload_digest(payloads)
        ),
        environment=environment,
        started_at=started_at,
        points=points,
        knee=best.knee if best else None,
        recommended=best.batch if best else None,
        threads=best.threads if best else None,
        gain=best.gain if best else None,
        warnings=advise_on_threads(points, environment.cpus),
        partial=found.partial,
    )
