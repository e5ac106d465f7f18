"""What the engine child tells its parent: seconds of the load, and how it began and ended. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LATE_NS = 1_000_000
"""An arrival sent more than this after its intended start counts as late."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """A histogram of durations, sparse; adding counts bucket by bucket merges two of them exactly.

    Attributes:
        counts: Number of values by bucket, see `perfcli.loadtest.buckets`.
        sum_ns: Exact sum of the values.
        max_ns: Exact largest value; 0 when there is none.
    """

    counts: Mapping[int, int]
    sum_ns: int
    max_ns: int

    @property
    def total(self) -> int:
        """Number of values."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """The requests of one endpoint that ended in one second, either all successful or all failed.

    Attributes:
        count: How many.
        response: Latency from the intended start to the last byte; of an incomplete request its age.
        service: Latency from the actual send; in the closed loop None, because it is the same.
    """

    count: int
    response: Latencies
    service: Latencies | None


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed requests of one kind at one endpoint in one second.

    Attributes:
        kind: One of the classes in `perfcli.loadtest.engine.faults`.
        count: How many.
        example: What one of them said.
    """

    kind: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint in one second.

    Attributes:
        method: HTTP method, or what a scenario fires as `request_type`.
        name: Path, or the name the scenario gave.
        succeeded: Requests that passed every check.
        failed: The others.
        failures: The failed ones by kind.
    """

    method: str
    name: str
    succeeded: Outcome
    failed: Outcome
    failures: Sequence[Failures]


@dataclass(frozen=True, slots=True)
class Hello:
    """Sent when the load starts.

    Attributes:
        processes: Processes that make requests, on all machines.
        started_at_s: Moment of the start, seconds since the epoch.
    """

    processes: int
    started_at_s: float


@dataclass(frozen=True, slots=True)
class Second:
    """What happened in one second, over all processes; the last one may be shorter.

    Attributes:
        index: 0 is the first second after the start.
        elapsed_s: Its length.
        users: Users alive at its end; in the open loop the size of the pool that sends.
        in_flight: Requests without an answer at its end.
        in_flight_ns: Time they spent without an answer in it, all added up: the integral of their number.
        scheduled: Arrivals whose intended start fell into it; in the closed loop equal to `sent`.
        sent: Requests started, also the ones whose connection then failed.
        late: Of these, started more than LATE_NS after their intended start.
        dropped: Arrivals never sent.
        resent: Requests sent once more after an idle connection was closed; the server may count as many more.
        lag: Actual minus intended start of every request sent; empty in the closed loop.
        cpu_ratio: CPU time over elapsed time of the busiest engine process; 1 is a whole core.
        rss_bytes: Resident memory of all engine processes.
        endpoints: In no particular order; one without ended requests is left out.
        server_timing: For how many successes each `Server-Timing` stands, of successes drawn at random.
        further: Open loop: requests of a task after its first one; no arrival of their own, and among `sent`.
        silent: Arrivals whose task sent nothing; not among `dropped`.
    """

    index: int
    elapsed_s: float
    users: int
    in_flight: int
    in_flight_ns: int
    scheduled: int
    sent: int
    late: int
    dropped: int
    resent: int
    lag: Latencies
    cpu_ratio: float
    rss_bytes: int
    endpoints: Sequence[Endpoint]
    server_timing: Mapping[str, float] = field(default_factory=dict)
    further: int = 0
    silent: int = 0

    @property
    def due(self) -> int:
        """Requests that should have been sent, as far as the tasks have told: what those that ended compare with."""
        return max(0, self.scheduled + self.further - self.silent)


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker died or fell silent; the run went on without it. Sent at the end, when it is known whether it came back.

    Attributes:
        worker: Its name.
        at_s: Seconds after the start, when the last second ended that it had reported.
        back_s: When it reported again, with all that it had measured; None when it never did.
    """

    worker: str
    at_s: float
    back_s: float | None = None


@dataclass(frozen=True, slots=True)
class ScenarioError:
    """An exception that left a task or a listener of the scenario.

    Attributes:
        message: Type and text.
        count: How often.
        traceback: Of the first one.
    """

    message: str
    count: int
    traceback: str


@dataclass(frozen=True, slots=True)
class End:
    """The run is over and every second was sent.

    Attributes:
        reason: `duration`, `requests`, `scenario` (it ended by itself), `interrupted`, `terminated` or `aborted`.
        elapsed_s: From the start until no more requests were started.
        drained_s: From then until the last answer.
        scheduled: Arrivals; with `further` always `sent + dropped + silent`.
        sent: Requests started; always the ended ones, incomplete ones included.
        late: Requests started late.
        dropped: Arrivals never sent.
        incomplete: Requests given up without an answer.
        scenario_errors: What the scenario's code raised.
        further: Requests of a task after its first one.
        silent: Arrivals whose task sent nothing.
        paths: Of requests to which the scenario gave another name; of very many not all.
    """

    reason: str
    elapsed_s: float
    drained_s: float
    scheduled: int
    sent: int
    late: int
    dropped: int
    incomplete: int
    scenario_errors: Sequence[ScenarioError]
    further: int = 0
    silent: int = 0
    paths: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ScenarioFacts:
    """What a scenario brings by itself; the answer to a plan that only examines it.

    Attributes:
        hosts: The `host` of each class of users that names one, each once.
        has_shape: A `LoadTestShape` says how many users there are, and when the run ends.
    """

    hosts: Sequence[str] = ()
    has_shape: bool = False


@dataclass(frozen=True, slots=True)
class Crash:
    """The engine cannot go on; its last words.

    Attributes:
        message: One line for the user.
        hint: What to do next; may be empty.
        exit_code: One of `perfcli.errors.ExitCode`.
    """

    message: str
    hint: str
    exit_code: int


Message = Hello | Second | WorkerLost | End | ScenarioFacts | Crash
