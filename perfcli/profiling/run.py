"""A target and its payloads to a `ProfileResult`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from perfcli.errors import MeasurementError
from perfcli.monitor.clocks import resident_memory
from perfcli.payloads import Payload, payload_digest, row_count
from perfcli.profiling import advice
from perfcli.profiling.call_graph import CallGraph
from perfcli.profiling.call_tree import call_tree
from perfcli.profiling.environment import describe_environment
from perfcli.profiling.functions import function_profile
from perfcli.profiling.passes import OUTSIDE, measure_cpu, measure_peak, time_stages
from perfcli.profiling.rounds import Call, Round
from perfcli.profiling.sampling import Sampler, SamplingPlan
from perfcli.profiling.stacks import StackRecorder, record_stacks
from perfcli.records import (
    Advice,
    CpuTime,
    LatencySummary,
    MemoryUse,
    Phase,
    ProfileResult,
    Stage,
    TargetDescription,
)
from perfcli.statistics import median, median_interval, percentile_or_none
from perfcli.targets.protocol import Target

SHORT_BLOCK_S = 0.0002
"""Reading the clocks of CPU time around a block takes two microseconds, a hundredth of this."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: `warm-up`, `measuring`, `CPU time`, `stages`, `memory` or `call tree`.
        runs: Unprofiled calls counted so far.
        median_s: Their median; None before the first.
        elapsed_s: Time since the first call.
    """

    step: str
    runs: int
    median_s: float | None
    elapsed_s: float


@dataclass(slots=True)
class Finding:
    """What has been found so far; an interruption leaves it as it is."""

    cold_start_s: float | None = None
    cold_phases: dict[str, float] = field(default_factory=dict)
    warm: bool = False
    cpu: CpuTime | None = None
    stages: tuple[Stage, ...] = ()
    peak_bytes: int | None = None
    stacks: StackRecorder | None = None
    warnings: list[Advice] = field(default_factory=list)
    partial: bool = False
    failure: MeasurementError | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A result, and what is in no record.

    Attributes:
        result: The record.
        graph: What is behind its function times, for whoever wants a `.prof` file.
        failure: Of the call that ended the run, where one did.
    """

    result: ProfileResult
    graph: CallGraph
    failure: MeasurementError | None = None


def run_profile(
    target: Target,
    payloads: Sequence[Payload],
    plan: SamplingPlan,
    on_progress: Callable[[Progress], None] = lambda _: None,
    *,
    keep_on_failure: bool = False,
) -> Profile:
    """Measure a target with payloads taken in turn.

    Ctrl-C and SIGTERM end the run early: what was measured until then is returned, marked as partial.

    Args:
        target: What is measured.
        payloads: At least one.
        plan: When to stop.
        on_progress: Called with how far the run is.
        keep_on_failure: A call that fails after others were counted ends the run in the same way, and is returned too.

    Raises:
        PayloadError: A payload does not fit the model.
        MeasurementError: The model raised, or the API did not answer as it should.
    """
    started_at = _now()
    calls = [target.prepare(payload) for payload in payloads]
    sampler = Sampler(calls, plan, resident_memory.read_bytes)
    finding = Finding()
    with _until_broken_off(finding, lambda: keep_on_failure and bool(sampler.walls_s)):
        _measure(target, calls, sampler, finding, on_progress)
    rss_bytes = resident_memory.read_bytes()
    measured_s = sampler.elapsed_s
    walls = sampler.walls_s
    latency = summarise_latency(walls) if walls else None
    graph, overhead, functions = function_profile(sampler.rounds, len(payloads))
    environment = describe_environment()
    cpu = finding.cpu or _cpu_time(sampler.rounds)
    finding.warnings += advice.advise_on_profiler(overhead, sampler.profiler_refused)
    if latency is not None and cpu is not None:
        finding.warnings += advice.advise_on_latency(
            latency,
            walls,
            imprecise=sampler.gave_up,
            warm=finding.warm,
            precision=plan.precision,
            payloads=len(payloads),
        )
        finding.warnings += advice.advise_on_start(latency, finding.cold_start_s)
        finding.warnings += advice.advise_on_threads(environment, latency, cpu)
        finding.warnings += advice.advise_on_payloads(sampler.payloads_counted, len(payloads))
    server = target.server_view()
    finding.warnings += advice.advise_on_server(server)
    result = ProfileResult(
        target=_describe(target, payloads),
        environment=environment,
        started_at=started_at,
        measured_s=measured_s,
        latency=latency,
        cold_start_s=finding.cold_start_s,
        load_s=target.load_s,
        cpu=cpu,
        memory=_memory_use(sampler.rounds, rss_bytes, finding.peak_bytes),
        overhead=overhead,
        stages=finding.stages,
        phases=_phases(finding) if target.kind == "remote" else (),
        functions=functions,
        function_calls=round(sum(function.calls for function in functions)) if functions else None,
        samples_s=tuple(walls),
        server=server,
        warnings=tuple(finding.warnings),
        partial=finding.partial,
        call_tree=call_tree(finding.stacks, graph, functions) if finding.stacks is not None and functions else None,
    )
    return Profile(result, graph, finding.failure)


def unmeasured(target: Target, payloads: Sequence[Payload]) -> ProfileResult:
    """Return the result of a run that was interrupted before its first call."""
    return ProfileResult(
        target=_describe(target, payloads),
        environment=describe_environment(),
        started_at=_now(),
        measured_s=0.0,
        load_s=target.load_s,
        partial=True,
    )


def summarise_latency(walls_s: Sequence[float]) -> LatencySummary:
    """Summarise durations; at least one."""
    low, high = median_interval(walls_s) or (None, None)
    return LatencySummary(
        median_s=median(walls_s),
        ci_low_s=low,
        ci_high_s=high,
        mean_s=sum(walls_s) / len(walls_s),
        p95_s=percentile_or_none(walls_s, 0.95),
        p99_s=percentile_or_none(walls_s, 0.99),
        min_s=min(walls_s),
        max_s=max(walls_s),
        runs=len(walls_s),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _describe(target: Target, payloads: Sequence[Payload]) -> TargetDescription:
    rows, digest = row_count(payloads[0]), payload_digest(payloads)
    return TargetDescription(target.kind, target.name, target.method, len(payloads), rows, digest)


def _cpu_time(rounds: Sequence[Round]) -> CpuTime | None:
    """Return the CPU time of one call: the median over blocks of the mean within a block."""
    thread = [block.thread_s / len(block.walls_s) for block in rounds if block.thread_s is not None]
    process = [block.process_s / len(block.walls_s) for block in rounds if block.process_s is not None]
    return CpuTime(median(thread), median(process)) if thread and process else None


def _memory_use(rounds: Sequence[Round], rss_bytes: int, peak_bytes: int | None) -> MemoryUse | None:
    growth = [block.rss_growth_bytes / len(block.walls_s) for block in rounds if block.rss_growth_bytes is not None]
    return MemoryUse(rss_bytes, round(median(growth)), peak_bytes) if growth else None


def _phases(finding: Finding) -> tuple[Phase, ...]:
    warm = {stage.name: stage.median_s for stage in finding.stages}
    names = dict.fromkeys((*finding.cold_phases, *warm))
    return tuple(Phase(name, finding.cold_phases.get(name), warm.get(name)) for name in names if name != OUTSIDE)


@contextmanager
def _until_broken_off(finding: Finding, keeps_failure: Callable[[], bool]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        finding.partial = True
    except MeasurementError as error:
        if not keeps_failure():
            raise
        finding.partial, finding.failure = True, error
        finding.warnings.append(Advice("call_failed", f"A call failed, and ended the run: {error.message}", error.hint))


def _measure(
    target: Target, calls: Sequence[Call], sampler: Sampler, finding: Finding, on_progress: Callable[[Progress], None]
) -> None:
    def tell(step: str) -> None:
        walls = sampler.walls_s
        on_progress(Progress(step, len(walls), median(walls) if walls else None, sampler.elapsed_s))

    tell("warm-up")
    with target.staged() as clock:
        finding.cold_start_s = sampler.first_call()
        finding.cold_phases = {name: stage.self_s for name, stage in clock.take().items()}
    finding.warm = sampler.warm_up()
    for _ in sampler.run():
        tell("measuring")
    if median([sum(block.walls_s) for block in sampler.rounds if block.walls_s]) < SHORT_BLOCK_S:
        tell("CPU time")
        finding.cpu = measure_cpu(calls, median(sampler.walls_s))
    tell("stages")
    finding.stages, repeated = time_stages(target, calls)
    finding.warnings.extend(repeated)
    tell("memory")
    finding.peak_bytes, unvisited = measure_peak(calls)
    finding.warnings.extend(unvisited)
    if sampler.plan.profiled:
        tell("call tree")
        finding.stacks = record_stacks(calls)
