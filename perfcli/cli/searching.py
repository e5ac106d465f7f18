"""Wire the search for capacity to load runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TextIO

from perfcli.units import format_duration

if TYPE_CHECKING:
    from perfcli.loadtest.planning import LoadOptions, LoadPlan
    from perfcli.records.capacity import CapacityResult, Probe
    from perfcli.verdicts.capacity import SearchPlan
    from perfcli.verdicts.slo import Slo

CONFIRMING_TIME = 4
"""A probe that confirms the answer may take so many times longer: it needs the samples of its percentiles."""


def search_each(
    workers: Sequence[int],
    options: LoadOptions,
    first: LoadPlan,
    slos: Sequence[Slo],
    plan: SearchPlan,
    progress: TextIO,
) -> CapacityResult:
    """Search for the capacity of the embedded API with each number of workers, and say which is worth it.

    Ctrl-C and SIGTERM end the search early, marked as partial; the numbers of workers already searched are kept.

    Args:
        workers: Numbers of server processes; without any the target is taken as it is.
        options: Of every probe; the load is each time another.
        first: Plan of the first probe, which tells where the requests go.
        slos: What must hold.
        plan: How to search.
        progress: Told one line a probe.
    """
    from perfcli.cli.loading import aimed
    from perfcli.verdicts.workers import choose_workers

    if not workers:
        with aimed(first) as target:
            return search(options, target, slos, plan, progress)
    results: list[CapacityResult] = []
    interrupted = False
    try:
        for count in workers:
            progress.write(f"workers: {count}\n")
            with aimed(first, workers=count) as target:
                results.append(replace(search(options, target, slos, plan, progress), workers=count))
            if results[-1].partial:
                break
    except KeyboardInterrupt:
        if not results:
            raise
        interrupted = True
    chosen = choose_workers(results)
    return replace(chosen, partial=chosen.partial or interrupted)


def search(
    options: LoadOptions, target: LoadPlan, slos: Sequence[Slo], plan: SearchPlan, progress: TextIO
) -> CapacityResult:
    """Search for the capacity of a target; Ctrl-C and SIGTERM end the search early, marked as partial."""
    from perfcli.loadtest.planning import aim, plan_load
    from perfcli.loadtest.run import calibrate_engine, ensure_measured, run_load
    from perfcli.profiling.environment import describe_environment
    from perfcli.records.capacity import CapacityResult
    from perfcli.verdicts.capacity import Search, find_knee, search_capacity
    from perfcli.verdicts.probing import is_decided, judge_probe

    environment, calibration = describe_environment(), calibrate_engine()
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")

    def probe(load: float, confirming: bool) -> Probe:
        duration_s = (options.duration_s or 0.0) * (CONFIRMING_TIME if confirming else 1)
        at = {"rate_rps": load} if plan.by == "rate" else {"users": round(load)}
        run = aim(plan_load(replace(options, **at, duration_s=duration_s)), target.engine.base_url)
        result = run_load(run, environment, calibration=calibration, should_stop=partial(is_decided, slos))
        if result.partial:
            raise KeyboardInterrupt
        ensure_measured(result)
        found = judge_probe(load, result, slos, allow_few=not confirming)
        progress.write(f"{load:.4g} {plan.by}: {found.outcome} after {format_duration(found.elapsed_s)}\n")
        progress.flush()
        return found

    found, partial_search = Search(), False
    try:
        search_capacity(probe, plan, found)
    except KeyboardInterrupt:
        partial_search = True
    return CapacityResult(
        url=target.description.url,
        by=plan.by,
        slos=tuple(slo.text for slo in slos),
        environment=environment,
        started_at=started_at,
        probes=tuple(found.probes),
        capacity=found.capacity,
        upper=found.upper,
        knee=find_knee(found.probes),
        outcome=found.outcome or "unconfirmed",
        reason=found.reason or ("it was interrupted" if partial_search else ""),
        warnings=(),
        partial=partial_search,
    )
