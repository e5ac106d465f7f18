"""One line that says what limits the service, and what to try.

Each rule looks at the whole result and either recognises its case or passes; the first that speaks is the diagnosis.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from perfcli.loadtest.advice import BUSY_MACHINE, SCENARIO_ERROR
from perfcli.loadtest.course import answered_ratio, by_thirds, drain_s, loaded_seconds, quietest_second
from perfcli.loadtest.generator import BUSY_CORE, highest_due_rps
from perfcli.records.load import LoadResult
from perfcli.units import format_duration, format_rate, format_ratio, format_size

MANY_FAILED = 0.1
ANY_FAILED = 0.001
SATURATED_CORE = 0.9
IDLE_CORE = 0.5
WAITING_SHARE = 0.5
FEWEST_IN_HAND = 2
CHANCE = 2
SLOW_S = 0.1
ANSWERED = 0.98
"""Answers per arrival while requests are sent; the others are on their way when the last is."""
LATENCY_GROWTH = 1.5
LATENCY_GROWTH_S = 0.001
"""Less is noise of the client."""
QUEUE_GROWTH = 1.2
STALL = 10
"""The 99th percentile of a service that only computes is some times its median."""
QUIET = 0.5
LONGEST_DRAIN_S = 1.0
GROWTH_RATIO = 1.2
GROWTH_BYTES = 50 * 2**20


def diagnose(result: LoadResult) -> str | None:
    """Return the diagnosis of a run; None when the data does not say."""
    for rule in _RULES:
        sentence = rule(result)
        if sentence is not None:
            return sentence
    return None


def _many_failed(result: LoadResult) -> str | None:
    return _failures(result, MANY_FAILED)


def _some_failed(result: LoadResult) -> str | None:
    return _failures(result, ANY_FAILED)


def _failures(result: LoadResult, fewest: float) -> str | None:
    ratio = result.total.error_ratio
    if ratio is None or ratio < fewest or not result.errors:
        return None
    # Only the seconds know when: `errors` are those of the warm-up, too.
    kinds = [second.failure_kinds for second in result.seconds if second.measured]
    worst = max(result.errors, key=lambda error: sum(failures.get(error.kind, 0) for failures in kinds))
    return f"{format_ratio(ratio)} of the requests failed, most often {worst.kind}: {worst.example}"


def _broken_scenario(result: LoadResult) -> str | None:
    if not any(warning.code == SCENARIO_ERROR for warning in result.warnings):
        return None
    return "Correct the scenario first: a task that raises is begun again at once, whatever the service does."


def _beyond_generator(result: LoadResult) -> str | None:
    """More is due than the generator can make: whatever else is wrong, this is to be corrected first."""
    generator, due_rps = result.generator, highest_due_rps(result.description, result.seconds)
    if generator.verdict == "trustworthy" or generator.ceiling_rps is None or due_rps is None:
        return None
    if due_rps <= generator.ceiling_rps * generator.processes:
        return None
    enough = math.ceil(due_rps / generator.ceiling_rps)
    reasons = "; ".join(generator.reasons)
    return (
        f"The arrival rate is above what the generator can make: {reasons}: try --processes {enough}, or a lower rate."
    )


def _generator_bound(result: LoadResult) -> str | None:
    generator = result.generator
    if generator.verdict == "trustworthy":
        return None
    reasons = "; ".join(generator.reasons)
    if generator.cpu_ratio is not None and generator.cpu_ratio >= BUSY_CORE:
        return f"The generator is the limit, not the service: {reasons}: try --processes {generator.processes + 1}."
    used = "" if generator.cpu_ratio is None else f", which used {format_ratio(generator.cpu_ratio)} of a core"
    return f"The machine was too busy for the generator{used}: {reasons}: give it a machine, or a core, of its own."


def _memory_growth(result: LoadResult) -> str | None:
    sizes = [second.server_rss_bytes for second in result.seconds if second.measured]
    known = [size for size in sizes if size is not None]
    if len(known) < 3:
        return None
    first, last = known[0], known[-1]
    if last < first * GROWTH_RATIO or last - first < GROWTH_BYTES:
        return None
    grown = f"from {format_size(first)} to {format_size(last)}"
    return f"The server's memory grew {grown} in the measured window: look for a leak or an unbounded cache."


def _saturated_worker(result: LoadResult) -> str | None:
    """A worker that uses its whole core makes requests wait; what they do not wait for is the CPU time they take."""
    server, p99_s, throughput = result.server, result.total.latency.p99_s, result.total.throughput_rps
    if server is None or server.busiest_cpu_ratio is None or server.cpu_ratio is None or not throughput:
        return None
    if server.busiest_cpu_ratio < SATURATED_CORE:
        return None
    workers = max(1, round(server.cpu_ratio / server.busiest_cpu_ratio))
    who = "one worker is" if workers == 1 else f"{workers} workers are each"
    waiting = "" if p99_s is None else f", {_percent(1 - server.cpu_ratio / throughput / p99_s)} of p99 is waiting"
    return (
        f"The server's {who} at {_percent(server.busiest_cpu_ratio)} of a core{waiting}: try --workers {workers * 2}."
    )


def _waiting_elsewhere(result: LoadResult) -> str | None:
    """Many requests in the server's hands (Little's law: throughput x latency), and little CPU time spent on them."""
    server, p50_s, throughput = result.server, result.total.service.p50_s, result.total.throughput_rps
    if server is None or server.cpu_ratio is None or p50_s is None or not throughput:
        return None
    if _machine_is_busy(result) or not _has_idle_requests(result):
        return None
    in_hand, cpu_s = throughput * p50_s, server.cpu_ratio / throughput
    hands = f" while {in_hand:.0f} requests are in its hands" if in_hand >= FEWEST_IN_HAND else ""
    return (
        f"The server uses {_percent(server.cpu_ratio)} of a core{hands}: each"
        f"{'' if hands else ' request'} takes {format_duration(p50_s)} with {format_duration(cpu_s)} of CPU, so it"
        " waits itself: for a lock, a pool of threads, a disk, another service."
    )


def _has_idle_requests(result: LoadResult) -> bool:
    """Tell whether requests take much longer than the CPU time of the server they cost."""
    server, p50_s, throughput = result.server, result.total.service.p50_s, result.total.throughput_rps
    if server is None or server.cpu_ratio is None or p50_s is None or not throughput:
        return False
    # A few fast requests one by one spend a large part of their time in the client and on the way.
    many_or_slow = throughput * p50_s >= FEWEST_IN_HAND or p50_s >= SLOW_S
    return server.cpu_ratio <= IDLE_CORE and many_or_slow and server.cpu_ratio / throughput <= WAITING_SHARE * p50_s


def _overload(result: LoadResult) -> str | None:
    """Arrivals that are never sent because too many others are unanswered."""
    arrivals, throughput = result.arrivals, result.total.throughput_rps
    if arrivals is None or throughput is None:
        return None
    dropped, scheduled = arrivals.dropped_of_window
    if not dropped:
        return None
    return (
        f"The arrival rate is above the capacity: {dropped} of {scheduled} arrivals found too many"
        f" unanswered before them and were dropped; {format_rate(throughput)} were answered."
    )


def _backlog(result: LoadResult) -> str | None:
    """Arrivals that are all sent, and more of them in each third of the run without an answer."""
    if result.arrivals is None or result.description.shape is not None:
        return None
    seconds = loaded_seconds(result)
    ratio, waiting = answered_ratio(seconds), by_thirds(seconds, lambda second: second.in_flight)
    if ratio is None or ratio >= ANSWERED or waiting is None:
        return None
    first, middle, last = waiting
    due = sum(second.scheduled or 0 for second in seconds)
    # Random arrivals come in bursts: of so many in a third of the run, that many more are chance.
    chance = CHANCE * math.sqrt(due / 3) if result.description.arrivals == "poisson" else 0
    if middle <= first * QUEUE_GROWTH or last <= middle * QUEUE_GROWTH or last - first < max(FEWEST_IN_HAND, chance):
        return None
    due_rps = due / sum(second.elapsed_s for second in seconds)
    return (
        f"The arrival rate is above the capacity: {format_rate(due_rps)} were due, {format_rate(due_rps * ratio)}"
        f" answered; {first:.0f} were unanswered in the first third of the run, {last:.0f} in the last."
    )


def _growing_latency(result: LoadResult) -> str | None:
    medians = by_thirds(loaded_seconds(result), lambda second: second.latency.p50_s)
    if result.description.shape is not None or medians is None or not _has_grown(medians):
        return None
    grown = f"from {format_duration(medians[0])} in the first third of the run to {format_duration(medians[2])}"
    return f"The latency grew: its median {grown} in the last."


def _stalls(result: LoadResult) -> str | None:
    """Pauses: users who wait see few of them, so that seconds with few answers count, too."""
    p50_s, p99_s = result.total.latency.p50_s, result.total.latency.p99_s
    remedy = "look for pauses: garbage collection, a lock, a cold cache, other work on the machine."
    if p50_s is not None and p99_s is not None and p99_s > STALL * p50_s:
        return f"Some answers take far longer than most: p99 is {p99_s / p50_s:.0f} times the median; {remedy}"
    quiet = quietest_second(loaded_seconds(result)) if result.description.shape is None else None
    if quiet is not None and quiet[0] < QUIET * quiet[1]:
        slowed = f"{format_rate(quiet[0])} in one second, {format_rate(quiet[1])} in most"
        return f"The answers stalled: {slowed}; {remedy}"
    return None


def _kept_up(result: LoadResult) -> str | None:
    """What no rule before it has spoken against, and what is known to have been so from beginning to end."""
    server, p50_s = result.server, result.total.latency.p50_s
    if server is None or server.cpu_ratio is None or p50_s is None or server.cpu_ratio > IDLE_CORE:
        return None
    seconds = loaded_seconds(result)
    medians, ratio = by_thirds(seconds, lambda second: second.latency.p50_s), answered_ratio(seconds)
    if (
        _has_idle_requests(result)
        or medians is None
        or _has_grown(medians)
        or (ratio is not None and ratio < ANSWERED)
        or drain_s(result) > max(LONGEST_DRAIN_S, 2 * p50_s)
    ):
        return None
    return f"The server kept up: it used {_percent(server.cpu_ratio)} of a core."


_RULES: tuple[Callable[[LoadResult], str | None], ...] = (
    _broken_scenario,
    _beyond_generator,
    _many_failed,
    _generator_bound,
    _memory_growth,
    _saturated_worker,
    _overload,
    _backlog,
    _waiting_elsewhere,
    _some_failed,
    _growing_latency,
    _stalls,
    _kept_up,
)


def _machine_is_busy(result: LoadResult) -> bool:
    """Then a server with little CPU time may just not have been given more."""
    shares = [second.machine_cpu_ratio for second in result.seconds if second.measured]
    return any(share is not None and share >= BUSY_MACHINE for share in shares)


def _has_grown(medians: tuple[float, float, float]) -> bool:
    first, _, last = medians
    return last > first * LATENCY_GROWTH and last - first > LATENCY_GROWTH_S


def _percent(ratio: float) -> str:
    return f"{max(0.0, ratio) * 100:.0f} %"
