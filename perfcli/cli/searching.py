"""Wire the search for capacity to load runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TextIO

from perfcli.cli.options import read_duration, read_ratio
from perfcli.cli.progress import show_progress
from perfcli.errors import MeasurementError, UsageError
from perfcli.units import format_duration, format_load, format_rate

if TYPE_CHECKING:
    from perfcli.loadtest.calibration import Calibration
    from perfcli.loadtest.options import LoadOptions
    from perfcli.loadtest.planning import LoadPlan
    from perfcli.records.capacity import CapacityResult, LoadKind, Probe
    from perfcli.records.environment import Environment
    from perfcli.records.load import LoadSecond
    from perfcli.verdicts.capacity import Search, SearchPlan
    from perfcli.verdicts.slo import Slo

CONFIRMING_TIME = 4
"""A probe that confirms the answer may take so many times longer: it needs the samples of its percentiles."""


def plan_search(by: LoadKind, start: float | None, precision: str, max_probes: int, max_time: str) -> SearchPlan:
    """Read how to search.

    Raises:
        UsageError: The precision is no ratio between 0 and 1, or the time is none.
    """
    from perfcli.verdicts.capacity import SearchPlan

    ratio, max_time_s = read_ratio("--precision", precision), read_duration("--max-time", max_time)
    if ratio >= 1:
        raise UsageError(f"--precision must be below 1, not {precision}.", "Write it like --precision 5%.")
    first = start or (50.0 if by == "rate" else 1.0)
    return SearchPlan(first if by == "rate" else round(first), by, 1.0, ratio, max_probes, max_time_s)


def describe_search(plan: SearchPlan, options: LoadOptions) -> str:
    """Say how much a search may send, for the person who has to agree to it."""
    return (
        f"up to {plan.max_probes} runs of about {format_duration(options.duration_s or 0.0)} each: "
        f"{format_load(plan.start, plan.by)}, and twice as much again and again until an SLO is lost"
    )


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
        progress: Told how each probe goes, and one line when it ends.
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
            progress.flush()
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
    """Search for the capacity of a target; Ctrl-C and SIGTERM end the search early, marked as partial.

    Raises:
        MeasurementError: The first load could not be measured; when a later one cannot, what is known by then counts.
    """
    from perfcli.loadtest.run import calibrate_engine
    from perfcli.profiling.environment import describe_environment
    from perfcli.records.capacity import CapacityResult
    from perfcli.verdicts.capacity import Search, find_knee, give_up, search_capacity
    from perfcli.verdicts.doubts import doubt_probes

    environment = describe_environment()
    found, partial_search = Search(), False
    prober = Prober(options, target, slos, plan.by, environment, calibrate_engine(), progress, found)
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        search_capacity(prober.probe, plan, found)
    except KeyboardInterrupt:
        partial_search = True
    except MeasurementError as error:
        if not found.probes:
            raise
        give_up(found, plan, error.message.rstrip("."))
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
        warnings=doubt_probes(found.probes, plan.by),
        partial=partial_search,
        held=found.held,
    )


@dataclass(frozen=True, slots=True)
class Prober:
    """Tries loads, one run each, and tells about it.

    Probes do not read the server's metrics: nothing in a `Probe` comes from them.

    Attributes:
        options: Of every probe; the load is each time another.
        target: Where the requests go.
        slos: What must hold.
        by: What the load is.
        environment: Of this machine.
        calibration: What the engine costs here.
        progress: Told how a probe goes, and one line when it ends.
        found: What the search knows so far.
    """

    options: LoadOptions
    target: LoadPlan
    slos: Sequence[Slo]
    by: LoadKind
    environment: Environment
    calibration: Calibration | None
    progress: TextIO
    found: Search

    def probe(self, load: float, confirming: bool) -> Probe:
        """Try a load.

        Raises:
            KeyboardInterrupt: Ctrl-C or SIGTERM ended the run.
            MeasurementError: Nothing was measured, or no request of the first probe was a success: at a higher load
                that would be the service's limit.
        """
        from perfcli.loadtest.planning import aim, plan_load
        from perfcli.loadtest.run import ensure_answered, ensure_measured, run_load
        from perfcli.verdicts.probing import is_decided, is_unanswered, judge_probe

        usual_s = self.options.duration_s or 0.0
        at = {"rate_rps": load} if self.by == "rate" else {"users": round(load)}
        wanted = replace(self.options, **at, duration_s=usual_s * (CONFIRMING_TIME if confirming else 1))
        what = f"{format_load(load, self.by)}{', to confirm it' if confirming else ''}"
        is_first = not self.found.probes
        with show_progress(partial(_describe_second, what), self.progress) as tell:
            result = run_load(
                aim(plan_load(wanted), self.target.engine.base_url),
                self.environment,
                calibration=self.calibration,
                on_second=tell,
                should_stop=partial(is_decided, self.slos, usual_s, ends_unanswered=is_first),
            )
        if result.partial:
            raise KeyboardInterrupt
        ensure_measured(result)
        if is_first and is_unanswered(result):
            ensure_answered(result)
        # The embedded API is all of the service; behind another there may be a database on this machine.
        tried = judge_probe(load, result, self.slos, allow_few=not confirming, sees_all=self.options.url is None)
        why = f": {tried.reason}" if tried.reason else ""
        self.progress.write(f"{what}: {tried.outcome} after {format_duration(tried.elapsed_s)}{why}\n")
        self.progress.flush()
        return tried


def _describe_second(what: str, second: LoadSecond) -> str:
    elapsed = format_duration(second.start_s + second.elapsed_s)
    return f"{what}: {elapsed}, {format_rate(second.requests / second.elapsed_s)} answered"
