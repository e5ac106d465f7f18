"""One line that says what limits the service, and what to try.

Each rule looks at the whole result and either recognises its case or passes; the first that speaks is the diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable

from perfcli.loadtest.generator import BUSY_CORE
from perfcli.records.load import LoadResult
from perfcli.units import format_duration, format_rate, format_ratio, format_size

MOSTLY_FAILED = 0.5
SATURATED_CORE = 0.9
IDLE_CORE = 0.5
WAITING_SHARE = 0.5
BUSY_MACHINE = 0.9
FEWEST_IN_HAND = 2
GROWTH_RATIO = 1.2
GROWTH_BYTES = 50 * 2**20


def diagnose(result: LoadResult) -> str | None:
    """Return the diagnosis of a run; None when the data does not say."""
    for rule in _RULES:
        sentence = rule(result)
        if sentence is not None:
            return sentence
    return None


def _failing(result: LoadResult) -> str | None:
    ratio = result.total.error_ratio
    if ratio is None or ratio < MOSTLY_FAILED or not result.errors:
        return None
    worst = result.errors[0]
    return f"{format_ratio(ratio)} of the requests failed, most often {worst.kind}: {worst.example}"


def _generator_bound(result: LoadResult) -> str | None:
    generator = result.generator
    if generator.verdict == "trustworthy":
        return None
    reasons = "; ".join(generator.reasons)
    exhausted = generator.cpu_ratio is not None and generator.cpu_ratio >= BUSY_CORE
    remedy = f"try --processes {generator.processes + 1}" if exhausted else "give it a machine, or a core, of its own"
    return f"The generator is the limit, not the service: {reasons}: {remedy}."


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
    in_hand, cpu_s = throughput * p50_s, server.cpu_ratio / throughput
    if (
        _machine_is_busy(result)
        or server.cpu_ratio > IDLE_CORE
        or in_hand < FEWEST_IN_HAND
        or cpu_s > WAITING_SHARE * p50_s
    ):
        return None
    return (
        f"The server uses {_percent(server.cpu_ratio)} of a core while {in_hand:.0f} requests are in its hands: each"
        f" takes {format_duration(p50_s)} with {format_duration(cpu_s)} of CPU, so it waits itself: for a lock,"
        " a pool of threads, a disk, another service."
    )


def _overload(result: LoadResult) -> str | None:
    """Arrivals that are never sent because too many others are unanswered."""
    arrivals, throughput = result.arrivals, result.total.throughput_rps
    if arrivals is None or not arrivals.dropped or throughput is None:
        return None
    return (
        f"The arrival rate is above the capacity: {arrivals.dropped} of {arrivals.scheduled} arrivals found too many"
        f" unanswered before them and were dropped; {format_rate(throughput)} were answered."
    )


def _kept_up(result: LoadResult) -> str | None:
    server, p50_s = result.server, result.total.latency.p50_s
    if server is None or server.cpu_ratio is None or p50_s is None or server.cpu_ratio > IDLE_CORE:
        return None
    return f"The server kept up: it used {_percent(server.cpu_ratio)} of a core."


_RULES: tuple[Callable[[LoadResult], str | None], ...] = (
    _failing,
    _generator_bound,
    _memory_growth,
    _saturated_worker,
    _waiting_elsewhere,
    _overload,
    _kept_up,
)


def _machine_is_busy(result: LoadResult) -> bool:
    """Then a server with little CPU time may just not have been given more."""
    shares = [second.machine_cpu_ratio for second in result.seconds if second.measured]
    return any(share is not None and share >= BUSY_MACHINE for share in shares)


def _percent(ratio: float) -> str:
    return f"{max(0.0, ratio) * 100:.0f} %"
