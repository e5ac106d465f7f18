"""The result of `perfcli load`: how a service behaves under a load, and whether the numbers deserve trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from perfcli.records.environment import Environment
from perfcli.records.load_second import LoadSecond as LoadSecond
from perfcli.records.load_second import Quantiles as Quantiles
from perfcli.records.profile import Advice
from perfcli.records.verdict import SloVerdict

Loop = Literal["closed", "open"]
GeneratorVerdict = Literal["trustworthy", "generator-bound"]


@dataclass(frozen=True, slots=True)
class LoadDescription:
    """What was asked for: the plan as a reader needs it to repeat the run.

    Attributes:
        url: Base URL of the service, secrets masked, with the path of the requests when they went to that.
        scenario: Name of the locustfile that says who sends what.
        payloads: Number of payloads taken in turn or at random; 0 when the scenario brings its own.
        rows: Rows of one request's payload; 0 when the scenario brings its own.
        payload_digest: SHA-256 over all payloads; None when the scenario brings its own.
        users: Users of a closed loop; None in an open loop, or when a shape says it.
        rate_rps: Arrival rate of an open loop; None in a closed loop, or when a shape says it.
        arrivals: `constant` or `poisson`; None in a closed loop.
        shape: The shape as it was written, `of FILE` when it is the scenario's own; None without one.
        duration_s: Planned length; None when only the number of requests, or the scenario's own shape, ends the run.
        requests: Number of requests that ends the run; None without such a bound.
        seed: Seed of arrivals and of the order of payloads.
    """

    url: str
    scenario: str
    payloads: int
    rows: int
    payload_digest: str | None
    users: int | None
    rate_rps: float | None
    arrivals: str | None
    shape: str | None
    duration_s: float | None
    requests: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the run the statistics are about.

    Attributes:
        elapsed_s: Length of the measured window; 0 when the run ended before it began.
        warm_up_s: Time before it, excluded from all statistics but kept in the seconds.
        stable: Throughput and latency held within 10 % over three windows; None when the run was too short, was asked
            to change its load, or lost a worker of the generator, so that nobody can tell.
    """

    elapsed_s: float
    warm_up_s: float
    stable: bool | None


@dataclass(frozen=True, slots=True)
class EndpointResult:
    """What one endpoint, or all of them together, did in the measured window.

    Attributes:
        requests: Requests that ended in the window, failed ones included.
        failures: Those of them that failed.
        elapsed_s: Length of the measured window.
        latency: Of the successes, from the intended start of each request to its last byte.
        service: Of the successes, from the moment the request was sent; the same as `latency` in a closed loop.
        failure_latency: Of the failures, from their intended start.
        histogram: Latencies of the successes in nanoseconds, in HdrHistogram's own base64 encoding.
        mean_time_s: Mean time from the sending to the end, of all requests, failed ones too; None without any, and in
            older records.
    """

    requests: int
    failures: int
    elapsed_s: float
    latency: Quantiles
    service: Quantiles
    failure_latency: Quantiles
    histogram: str
    mean_time_s: float | None = None

    @property
    def successes(self) -> int:
        """Requests that ended well."""
        return self.requests - self.failures

    @property
    def throughput_rps(self) -> float | None:
        """Requests that ended per second, failed ones included; None for an empty window."""
        return self.requests / self.elapsed_s if self.elapsed_s > 0 else None

    @property
    def success_rps(self) -> float | None:
        """Successes per second; None for an empty window."""
        return self.successes / self.elapsed_s if self.elapsed_s > 0 else None

    @property
    def error_ratio(self) -> float | None:
        """Failures over requests; None without requests."""
        return self.failures / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How an open loop kept its schedule over the whole run; `scheduled` is `sent` + `dropped` + `silent`.

    Attributes:
        scheduled: Arrivals that were due.
        sent: Those of them for which a request was sent.
        late: Those of them sent more than a millisecond after they were due.
        dropped: Never sent: too many were in flight already, or the run ended first.
        lag: Time from the intended start to the sending, of the measured window as the latencies are.
        further: Requests that tasks sent after their first one; they are no arrivals. 0 in older records.
        silent: Arrivals whose task sent nothing; older records count them as dropped.
        measured_scheduled: Arrivals that were due in the measured window; None in older records.
        measured_dropped: Those of them that were never sent; None in older records.
    """

    scheduled: int
    sent: int
    late: int
    dropped: int
    lag: Quantiles
    further: int = 0
    silent: int = 0
    measured_scheduled: int | None = None
    measured_dropped: int | None = None

    @property
    def dropped_of_window(self) -> tuple[int, int]:
        """Dropped and scheduled arrivals of the measured window; of the whole run in older records."""
        if self.measured_scheduled is None or self.measured_dropped is None:
            return self.dropped, self.scheduled
        return self.measured_dropped, self.measured_scheduled


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Failures of one class over the whole run.

    Attributes:
        kind: Class of the fault: dns, refused, reset, connect_timeout, read_timeout, tls, protocol, http_4xx, http_5xx,
            check_failed, incomplete, or the name of an exception of the scenario.
        count: Number of requests that ended so.
        example: What the first of them said.
    """

    kind: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class GeneratorReport:
    """Whether the generator itself was the bottleneck.

    Attributes:
        verdict: `generator-bound` when the numbers describe the generator rather than the service.
        reasons: What led to `generator-bound`; empty otherwise.
        cpu_ratio: Mean CPU of the busiest generator process in the measured window, as a share of one core; None when
            there was none.
        floor_s: Median latency the generator measures against a server that does nothing; None when not calibrated.
        ceiling_rps: Requests per second one process reaches against that server; None when not calibrated.
        processes: Number of generator processes.
    """

    verdict: GeneratorVerdict
    reasons: tuple[str, ...]
    cpu_ratio: float | None
    floor_s: float | None
    ceiling_rps: float | None
    processes: int


@dataclass(frozen=True, slots=True)
class CountCheck:
    """The client's count beside the server's own.

    Attributes:
        source: Metric of the server that counts requests.
        server_requests: By how much it grew over the run.
        client_requests: Answers the client received over the run, warm-up included.
    """

    source: str
    server_requests: int
    client_requests: int


@dataclass(frozen=True, slots=True)
class LoadedServer:
    """What was seen of the server while it was under load.

    Attributes:
        processes: Processes that serve the port, children included; None when it is not on this machine.
        cpu_ratio: Mean CPU of all of them in cores over the measured window; None when not sampled.
        busiest_cpu_ratio: Mean CPU of the busiest of them, as a share of one core.
        rss_bytes: Highest resident memory of all of them together.
        threads: Highest number of threads.
        timings: Mean duration in seconds by metric of the server; empty without any. What `Server-Timing` says is
            estimated from up to 50 successes of each measured second and process, drawn at random; what Prometheus
            metrics say is of all requests of the run, warm-up included.
        counted: Reconciliation with the server's own counter; None when it offers none.
    """

    processes: int | None
    cpu_ratio: float | None
    busiest_cpu_ratio: float | None
    rss_bytes: int | None
    threads: int | None
    timings: Mapping[str, float]
    counted: CountCheck | None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Everything one load run found out; every report is made from this alone.

    Attributes:
        description: What was asked for.
        environment: Where the generator ran.
        started_at: Moment of the start, UTC, ISO 8601.
        loop: `closed`: users wait for an answer; `open`: arrivals do not.
        window: What the statistics are about.
        total: All endpoints together.
        endpoints: By name, in the order of their names.
        arrivals: Of an open loop; None in a closed loop.
        errors: By class, the most frequent first.
        generator: Whether it kept up.
        server: What was seen of the server; None when nothing was.
        diagnosis: Where the time goes and what to try, in one line; None when the data does not say.
        seconds: The course of the run, warm-up included.
        warnings: What the reader should know.
        partial: The run was interrupted.
        verdicts: What the SLOs say; empty without any.
    """

    description: LoadDescription
    environment: Environment
    started_at: str
    loop: Loop
    window: Window
    total: EndpointResult
    endpoints: Mapping[str, EndpointResult]
    arrivals: Arrivals | None
    errors: tuple[ErrorCount, ...]
    generator: GeneratorReport
    server: LoadedServer | None
    diagnosis: str | None
    seconds: tuple[LoadSecond, ...]
    warnings: tuple[Advice, ...]
    partial: bool
    verdicts: tuple[SloVerdict, ...] = ()
