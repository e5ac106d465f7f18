"""The result of `perfcli capacity`: the highest load that holds the SLOs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perfcli.records.environment import Environment
from perfcli.records.profile import Advice
from perfcli.records.verdict import SloVerdict

LoadKind = Literal["rate", "users"]
ProbeOutcome = Literal["holds", "fails", "generator-bound", "disturbed", "inconclusive"]
SILENT: tuple[ProbeOutcome, ...] = ("generator-bound", "disturbed")
"""Outcomes that say nothing of the service: the generator or the machine was too busy."""
CapacityOutcome = Literal["found", "below", "generator-bound", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class Probe:
    """One load that was tried.

    Attributes:
        load: Arrivals per second, or users.
        outcome: Whether the SLOs held; `generator-bound` when the generator was late because it needs about all that
            one core can do, `disturbed` when it was late although it needs much less, or when the slowest
            answers of the embedded API were late beside other programs that kept the machine busy.
        reason: Why it does not hold, in plain language; empty when it does.
        elapsed_s: Length of the measured window.
        throughput_rps: Requests that ended per second; None without any.
        error_ratio: Failures over requests; None without requests.
        p50_s: Median latency; None with too few samples, as the others.
        p95_s: 95th percentile.
        p99_s: 99th percentile.
        in_flight: Requests without an answer, averaged over the time of the window; None without one.
        littles_ratio: `in_flight` over throughput times mean time from sending to end: 1 by Little's law but for the
            edges of the window; None without requests. A probe that breaks the law is inconclusive.
        verdicts: What the SLOs say.
    """

    load: float
    outcome: ProbeOutcome
    reason: str
    elapsed_s: float
    throughput_rps: float | None
    error_ratio: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    in_flight: float | None
    littles_ratio: float | None
    verdicts: tuple[SloVerdict, ...]


@dataclass(frozen=True, slots=True)
class WorkerSetting:
    """What the search found with one number of server processes.

    Attributes:
        workers: Server processes.
        probes: In the order they were made.
        capacity: As in `CapacityResult`, and so are the others.
        upper: Lowest load above it that did not hold.
        outcome: Of this search.
        reason: Why there is no capacity.
        held: Highest load that held and was not refuted, confirmed or not.
    """

    workers: int
    probes: tuple[Probe, ...]
    capacity: float | None
    upper: float | None
    outcome: CapacityOutcome
    reason: str
    held: float | None = None


@dataclass(frozen=True, slots=True)
class CapacityResult:
    """Everything a search for capacity found out; every report is made from this alone.

    Attributes:
        url: What was loaded, secrets masked.
        by: What the load is: arrivals per second or users.
        slos: As they were written.
        environment: Where the generator ran.
        started_at: Moment of the start, UTC, ISO 8601.
        probes: In the order they were made.
        capacity: Highest load that held the SLOs and was confirmed; None when there is none. With numbers of workers
            it may be there although the outcome is that of another number.
        upper: Lowest load above it that did not hold; None when none was tried.
        knee: Highest load whose median latency is at most twice the shortest; None when none tried above it is longer.
        outcome: `below` when the SLOs fail at the lowest load, `generator-bound` when the generator was the limit,
            `unconfirmed` when probes or time were used up before the answer was sure.
        reason: Why there is no capacity, in plain language; empty when it was found.
        warnings: What the reader should know.
        partial: The search was interrupted.
        workers: Server processes that this is about: when several numbers were tried, that which is worth it as
            far as is known. None when the target was taken as it is.
        settings: Every number of server processes tried, ascending; empty when the target was taken as it is.
        held: Highest load that held and was not refuted, confirmed or not; None when none did.
    """

    url: str
    by: LoadKind
    slos: tuple[str, ...]
    environment: Environment
    started_at: str
    probes: tuple[Probe, ...]
    capacity: float | None
    upper: float | None
    knee: float | None
    outcome: CapacityOutcome
    reason: str
    warnings: tuple[Advice, ...]
    partial: bool
    workers: int | None = None
    settings: tuple[WorkerSetting, ...] = ()
    held: float | None = None
