"""What the reader of a load result should know before trusting a number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from perfcli.loadtest.messages import Crash, End, ScenarioError, WorkerLost
from perfcli.records.load import EndpointResult, LoadResult
from perfcli.records.profile import Advice
from perfcli.statistics import samples_needed, weighted_mean_or_none
from perfcli.units import format_count, format_duration, format_ratio

ENGINE_CRASHED = "engine_crashed"
SCENARIO_ERROR = "scenario_error"
LONG_DRAIN = 0.05
NEAR_FLOOR = 2.0
BUSY_MACHINE = 0.9

_FRAME = re.compile(r'File "(.*)", line (\d+)')


@dataclass(slots=True)
class Ending:
    """How a run came to its end, as far as is known.

    Attributes:
        end: The engine's own account; None when it died.
        crash: Why it could not go on.
        last_words: How a dead engine ended; empty for a live one.
        stopped_early: We asked for the end, because what was to be found out is known.
        lost: Workers that died or fell silent.
    """

    end: End | None = None
    crash: Crash | None = None
    last_words: str = ""
    stopped_early: bool = False
    lost: list[WorkerLost] = field(default_factory=list)

    @property
    def interrupted(self) -> bool:
        """Somebody or something ended the run before its time."""
        if self.end is None:
            return True
        return self.end.reason == "aborted" or (
            self.end.reason in ("interrupted", "terminated") and not self.stopped_early
        )

    def lost_after(self, start_s: float) -> bool:
        """Tell whether a worker was missing at any time after this one."""
        return any(lost.back_s is None or lost.back_s > start_s for lost in self.lost)


def advise(result: LoadResult, ending: Ending, *, resent: int) -> tuple[Advice, ...]:
    """Return the warnings of a run.

    Args:
        result: The run.
        ending: How it ended.
        resent: Requests sent once more because the server had closed an idle connection, or reset it.
    """
    return (
        *_about_the_end(result, ending),
        *_about_the_window(result, ending),
        *_about_samples(result.total),
        *_about_the_generator(result),
        *_about_the_machine(result),
        *_about_counts(result, resent),
    )


def _about_the_end(result: LoadResult, ending: Ending) -> Iterator[Advice]:
    if ending.crash is not None:
        yield Advice(ENGINE_CRASHED, f"The load engine crashed: {ending.crash.message}", ending.crash.hint)
    elif ending.last_words:
        yield Advice(ENGINE_CRASHED, f"The load engine died: {ending.last_words}.", "The seconds before it are kept.")
    elif ending.interrupted and not any(second.requests for second in result.seconds):
        yield Advice("nothing_measured", "The run was interrupted before the first answer: nothing was measured.", "")
    if ending.stopped_early:
        yield Advice("stopped_early", "The run ended before its time, because its outcome was clear.", "")
    for lost in ending.lost:
        if lost.back_s is None:
            message = f"Worker {lost.worker} was lost after {format_duration(lost.at_s)}; the run went on without it."
            yield Advice("worker_lost", message, "What it had measured since its last report is missing.")
        else:
            from_to = f"from {format_duration(lost.at_s)} to {format_duration(lost.back_s)}"
            message = f"Worker {lost.worker} said nothing {from_to}; the run went on without it."
            yield Advice("worker_silent", message, "All it measured is counted; it may not have sent all it should.")
    for error in ending.end.scenario_errors if ending.end is not None else ():
        times = "once" if error.count == 1 else f"{error.count} times"
        yield Advice(SCENARIO_ERROR, f"The scenario raised {error.message} ({times}).", f"Correct it{_where(error)}.")


def _about_the_window(result: LoadResult, ending: Ending) -> Iterator[Advice]:
    if result.window.stable is False:
        yield Advice(
            "unstable",
            "Throughput or latency moved by more than 10 % during the run: its figures depend on when one looks.",
            "Look at the seconds; let it run longer, or without other work on the machine.",
        )
    drained_s = ending.end.drained_s if ending.end is not None else 0.0
    if drained_s > LONG_DRAIN * result.window.elapsed_s:
        message = (
            f"The last answer came {format_duration(drained_s)} after the last request; throughput counts that time."
        )
        yield Advice("long_drain", message, "Let it run longer, and the end weighs less.")


def _about_samples(total: EndpointResult) -> Iterator[Advice]:
    latency = total.latency
    percentiles = {"p50": (latency.p50_s, 0.5), "p90": (latency.p90_s, 0.9), "p95": (latency.p95_s, 0.95)}
    percentiles |= {"p99": (latency.p99_s, 0.99), "p99.9": (latency.p99_9_s, 0.999)}
    missing = [f"{name} needs {samples_needed(q)}" for name, (value, q) in percentiles.items() if value is None]
    if missing and total.requests:
        message = f"Too few successes ({total.successes}) for some percentiles: {', '.join(missing)}."
        yield Advice("few_samples", message, "Let it run longer.")


def _about_the_generator(result: LoadResult) -> Iterator[Advice]:
    floor_s, p50_s = result.generator.floor_s, result.total.latency.p50_s
    if floor_s is not None and p50_s is not None and p50_s < NEAR_FLOOR * floor_s:
        message = (
            f"The median is close to what the generator itself measures of an empty server, {format_duration(floor_s)}."
        )
        yield Advice(
            "near_floor", message, "Differences of such latencies between two runs still tell; the figures do not."
        )
    if result.arrivals is not None and result.arrivals.dropped:
        message = (
            f"Dropped arrivals: {result.arrivals.dropped} of {result.arrivals.scheduled}; too many were unanswered."
        )
        yield Advice("dropped", message, "Their latency is unknown and would have been high. Lower --rate.")


def _about_the_machine(result: LoadResult) -> Iterator[Advice]:
    busy = weighted_mean_or_none(
        (second.machine_cpu_ratio, second.elapsed_s)
        for second in result.seconds
        if second.measured and second.machine_cpu_ratio is not None
    )
    if busy is not None and busy >= BUSY_MACHINE:
        yield Advice(
            "busy_machine",
            f"The processors of this machine were {format_ratio(busy)} busy: all that runs on it had to wait.",
            "Run generator and server on two machines, or end other work.",
        )


def _about_counts(result: LoadResult, resent: int) -> Iterator[Advice]:
    counted = result.server.counted if result.server is not None else None
    if counted is not None and counted.server_requests != counted.client_requests:
        requests = format_count(counted.server_requests, "request")
        message = f"The server counted {requests}, the client {format_count(counted.client_requests, 'answer')}."
        missing = counted.client_requests - counted.server_requests
        refused = sum(error.count for error in result.errors if error.kind == "http_5xx")
        reason = "somebody else may have asked, too."
        if 0 < -missing <= resent:
            reason = "it may have counted both of requests that were sent twice."
        if missing > 0:
            reason = "it may count only a part of its answers, or was started again."
        if 0 < missing <= refused:
            reason = (
                f"{format_count(refused, 'answer')} had a status of 5xx; a server at its limit, or a proxy, refuses "
                "before it counts."
            )
        yield Advice("count_mismatch", message, f"See {counted.source}: {reason}")
    if resent:
        sent_again = format_count(resent, "request was", "requests were")
        message = (
            f"{sent_again} sent twice, because the server had closed an idle connection, or reset it on the request."
        )
        yield Advice("resent", message, "Raise the server's keep-alive time-out, or look for a worker that restarts.")


def _where(error: ScenarioError) -> str:
    """Return where the first such exception was raised."""
    frames = _FRAME.findall(error.traceback)
    return f" at {Path(frames[-1][0]).name}:{frames[-1][1]}" if frames else ""
