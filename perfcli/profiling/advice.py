"""Say in plain language what a reader should know before trusting a number, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from perfcli.records import Advice, CpuTime, Environment, LatencySummary, Overhead, ServerView
from perfcli.statistics import outliers, percentile, samples_needed
from perfcli.units import format_count, format_duration, format_ratio

NOISY_SPREAD = 0.15
MANY_OUTLIERS = 0.02
SLOW_FIRST_CALL = 3.0
CLOCK_TICKS = 100
PARALLEL = 1.3
NOTABLE_SHARE = 0.05
NOTABLE_RATIO = 1.1


def advise_on_latency(
    latency: LatencySummary,
    samples_s: Sequence[float],
    *,
    imprecise: bool,
    warm: bool,
    precision: float,
    payloads: int = 1,
) -> Iterator[Advice]:
    """Judge how far the durations can be trusted."""
    if imprecise:
        yield Advice(
            "imprecise",
            f"The median is not known to within {format_ratio(precision)} after {format_count(latency.runs, 'run')}.",
            "Give it more time: --max-time 60s, or close what else runs on this machine.",
        )
    if not warm:
        yield Advice(
            "not_warm",
            "The time for the warm-up was over before the calls had settled.",
            "Give it more time: --max-time 60s.",
        )
    spread = (percentile(samples_s, 0.75) - percentile(samples_s, 0.25)) / latency.median_s if latency.median_s else 0
    if spread > NOISY_SPREAD and latency.runs >= 10:
        yield Advice(
            "noisy_machine",
            f"The middle half of the calls spreads over {format_ratio(spread)} of the median: the machine is noisy"
            f"{', or the payloads differ' if payloads > 1 else ''}.",
            f"Close other programs, {'profile one payload at a time, ' if payloads > 1 else ''}"
            "or compare with: perfcli compare.",
        )
    strange = outliers(samples_s)
    if len(strange) > MANY_OUTLIERS * latency.runs:
        worst = max(samples_s[position] for position in strange)
        are = "is an outlier" if len(strange) == 1 else "are outliers"
        yield Advice(
            "outliers",
            f"{len(strange)} of {format_count(latency.runs, 'call')} {are} (modified z-score over 3.5), "
            f"up to {format_duration(worst)}.",
            "Look at the p95 beside the median; garbage collection and other processes are the usual causes.",
        )
    if latency.p95_s is None:
        yield Advice(
            "few_runs",
            f"A p95 needs {samples_needed(0.95)} runs, a p99 {samples_needed(0.99)}; there were {latency.runs}.",
            f"Ask for them: --runs {samples_needed(0.95)}.",
        )
    tick_s = time.get_clock_info("perf_counter").resolution
    if latency.median_s < CLOCK_TICKS * max(tick_s, _clock_cost_s()):
        yield Advice(
            "clock_resolution",
            f"One call takes {format_duration(latency.median_s)}, hardly more than reading the clock.",
            "Measure a batch: put many rows into one payload.",
        )


def advise_on_payloads(counted: int, payloads: int) -> Iterator[Advice]:
    """Say when not every payload was measured."""
    if counted < payloads:
        yield Advice(
            "payloads_left_out",
            f"Only {counted} of {payloads} payloads were measured before the time was over.",
            "Give it more time (--max-time 60s), or fewer payloads.",
        )


def advise_on_start(latency: LatencySummary, cold_start_s: float | None) -> Iterator[Advice]:
    """Say when the first call is another matter than the rest."""
    if cold_start_s is not None and cold_start_s > SLOW_FIRST_CALL * latency.median_s:
        yield Advice(
            "slow_first_call",
            f"The first call took {format_duration(cold_start_s)}, {cold_start_s / latency.median_s:.1f} times the "
            "median: it fills caches and imports what is imported late.",
            "Make one prediction at start-up, before the service reports that it is ready.",
        )


def advise_on_profiler(overhead: Overhead, refused: str) -> Iterator[Advice]:
    """Say when function times could not be taken, or not be freed of the profiler."""
    if refused:
        yield Advice(
            "profiler_active",
            f"There are no function times: {refused}.",
            "Run without coverage, a debugger or another profiler.",
        )
    elif overhead.ratio is not None and overhead.ratio > NOTABLE_RATIO and not overhead.corrected:
        yield Advice(
            "not_corrected",
            "Function times are as cProfile saw them: its cost per call is not known exactly enough to take it off.",
            "Close other programs, or measure for longer: --max-time 60s.",
        )


def advise_on_threads(environment: Environment, latency: LatencySummary, cpu: CpuTime) -> Iterator[Advice]:
    """Say when native thread pools are larger than the machine, or work beside the calling thread."""
    crowded = {pool: count for pool, count in (environment.blas_threads or {}).items() if count > environment.cpus}
    if crowded:
        pools = ", ".join(f"{pool} {count}" for pool, count in crowded.items())
        yield Advice(
            "oversubscribed",
            f"Native thread pools are larger than the {format_count(environment.cpus, 'processor')}: {pools}.",
            f"Set OMP_NUM_THREADS={environment.cpus} (and OPENBLAS_NUM_THREADS) for the service.",
        )
    beside_s = cpu.process_s - cpu.thread_s
    if cpu.thread_s and cpu.process_s > PARALLEL * cpu.thread_s and beside_s > NOTABLE_SHARE * latency.median_s:
        yield Advice(
            "parallel",
            f"Other threads work too: {cpu.process_s / cpu.thread_s:.1f} times the CPU time of the calling thread.",
            "Several workers will compete for the same processors; try the service with OMP_NUM_THREADS=1.",
        )


def advise_on_server(server: ServerView | None) -> Iterator[Advice]:
    """Say when the server would tell more to somebody with its token."""
    if server is not None and server.log_refused:
        yield Advice(
            "log_refused",
            "The server did not show its log: its own metrics and functions are missing.",
            "If it carries perfcli's monitor, set API_TOKEN here to the token it has there; for an API on another "
            "machine, send --header 'Authorization: Bearer ...'.",
        )


def _clock_cost_s() -> float:
    batches_ns = []
    for _ in range(10):
        before = time.perf_counter_ns()
        for _ in range(10):
            time.perf_counter_ns()
        batches_ns.append(time.perf_counter_ns() - before)
    # One that was interrupted says nothing of the clock.
    return min(batches_ns) / 10e9
