"""The course of `perfcli load`: what happened in each second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from perfcli.records.latency_counts import LatencyCounts

SHORT_S = 0.5
"""A last second that is shorter is cut short: its rates would jump."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Percentiles of durations, by nearest rank; None where too few samples were seen to state one honestly.

    Attributes:
        p50_s: Median.
        p90_s: 90th percentile.
        p95_s: 95th percentile.
        p99_s: 99th percentile.
        p99_9_s: 99.9th percentile.
        max_s: Longest.
        mean_s: Arithmetic mean.
    """

    p50_s: float | None
    p90_s: float | None
    p95_s: float | None
    p99_s: float | None
    p99_9_s: float | None
    max_s: float | None
    mean_s: float | None


@dataclass(frozen=True, slots=True)
class LoadSecond:
    """One second of the run, all endpoints together.

    Attributes:
        start_s: Begin of the second, from the start of the run.
        elapsed_s: Its length; the last one is shorter.
        measured: Inside the measured window.
        requests: Requests that ended.
        failures: Those of them that failed.
        latency: Of the successes; None fields without enough of them.
        in_flight: Requests without an answer at the end of the second.
        users: Users at work at the end of the second; None in an open loop.
        scheduled: Requests that fell due: for each arrival as many as its task sends; None in a closed loop.
        lag_p99_s: 99th percentile of the lag of the arrivals sent; None in a closed loop.
        generator_cpu_ratio: CPU of the busiest generator process, as a share of one core.
        generator_rss_bytes: Resident memory of all generator processes.
        machine_cpu_ratio: Busy share of all processors of this machine.
        server_cpu_ratio: CPU of the server's processes in cores; None when not sampled.
        server_rss_bytes: Resident memory of the server's processes; None when not sampled.
        server_threads: Threads of the server's processes; None when not sampled.
        latency_counts: Latencies of the successes by class; None without any, and in records of before these were kept.
        failure_kinds: Failures by class of the fault; empty without any.
        mean_in_flight: Requests without an answer, averaged over the time of the second; None in older records.
    """

    start_s: float
    elapsed_s: float
    measured: bool
    requests: int
    failures: int
    latency: Quantiles
    in_flight: int
    users: int | None
    scheduled: int | None
    lag_p99_s: float | None
    generator_cpu_ratio: float | None
    generator_rss_bytes: int | None
    machine_cpu_ratio: float | None
    server_cpu_ratio: float | None
    server_rss_bytes: int | None
    server_threads: int | None
    latency_counts: LatencyCounts | None = None
    failure_kinds: Mapping[str, int] = field(default_factory=dict)
    mean_in_flight: float | None = None
