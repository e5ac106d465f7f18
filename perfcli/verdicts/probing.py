"""One probe of a search for capacity: when it has run for long enough, and what it says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from perfcli.records.capacity import Probe, ProbeOutcome
from perfcli.records.load import LoadResult, LoadSecond
from perfcli.records.verdict import SloVerdict
from perfcli.statistics import is_steady
from perfcli.units import format_ratio
from perfcli.verdicts.early import decide_slo
from perfcli.verdicts.evaluate import evaluate
from perfcli.verdicts.littles_law import check_littles_law
from perfcli.verdicts.slo import Slo

MIN_SECONDS = 4
"""Measured seconds before a probe may end: a burst of other work spoils one or two."""
OVERLOADED_SECONDS = 2
OVERLOADED = 0.1
"""Of the arrivals: a service that has left so many without an answer shows it before."""
FEW_WAITING = 10
GROWING_SECONDS = 4
GROWTH = 0.1
"""Of the arrivals of these seconds: by so much must the requests in flight have grown."""
OTHERS = 0.15
"""Of all processors: beside so much other work the slowest answers are late because of it."""
NEAR_LIMIT = 0.5
"""Of a core: a generator that needs less is late because something else had the core."""


def is_decided(slos: Sequence[Slo], enough_s: float, result: LoadResult, *, ends_unanswered: bool = False) -> bool:
    """Tell whether a probe can end: an SLO is proven lost, the queue grows, or it is steady with samples enough.

    The proof takes requests for throws of a coin, and those that one burst of other work delays are none: it must stand
    for some seconds, and while the generator is late it is not the service that has lost.

    Args:
        slos: What must hold.
        enough_s: After so long, samples enough will do.
        result: The run so far.
        ends_unanswered: It can end, too, when not one request was a success.
    """
    seconds = _whole_seconds(result)
    if queue_grows(result) or (ends_unanswered and len(seconds) >= MIN_SECONDS and is_unanswered(result)):
        return True
    if any(decide_slo(slo, result) == "fails" for slo in slos):
        on_time = result.generator.verdict == "trustworthy"
        return _is_overloaded(seconds) or (on_time and len(seconds) >= MIN_SECONDS)
    verdicts = evaluate(result, slos, allow_late=_in_open_loop(result))
    if len(seconds) < MIN_SECONDS or any(verdict.outcome != "pass" for verdict in verdicts):
        return False
    medians = [second.latency.p50_s for second in seconds if second.latency.p50_s is not None]
    rates = [second.requests / second.elapsed_s for second in seconds]
    return result.window.elapsed_s >= enough_s or (is_steady(rates) and is_steady(medians))


def is_unanswered(result: LoadResult) -> bool:
    """Tell whether requests ended and none was a success, warm-up included.

    Whatever the load, the first requests of a service find it idle: this is none that has too much to do.
    """
    seconds = result.seconds
    return any(second.requests for second in seconds) and all(second.requests == second.failures for second in seconds)


def queue_grows(result: LoadResult) -> bool:
    """Tell whether the service falls behind the arrivals: more and more requests wait, second after second."""
    seconds = _whole_seconds(result)[-GROWING_SECONDS:]
    if len(seconds) < GROWING_SECONDS or any(second.scheduled is None for second in seconds):
        return False
    waiting = [second.in_flight for second in seconds]
    arrived = sum(second.scheduled or 0 for second in seconds[1:])
    rises = all(before < after for before, after in itertools.pairwise(waiting))
    return rises and waiting[-1] - waiting[0] >= GROWTH * arrived


def judge_probe(
    load: float, result: LoadResult, slos: Sequence[Slo], *, allow_few: bool, sees_all: bool = False
) -> Probe:
    """Return what a run at this load says.

    In an open loop the lateness of a generator counts as latency, and makes it longer, never shorter: SLOs that hold in
    spite of it do hold. That they do not hold proves nothing then.

    Args:
        load: Arrivals per second, or users.
        result: The run.
        slos: What must hold.
        allow_few: Take a percentile of too few samples as it is: on the way to the answer, but not for the answer.
        sees_all: The service has no other processes than those that were watched, so that whatever else keeps the
            processors busy is no part of it.
    """
    verdicts = evaluate(result, slos, allow_few=allow_few, allow_late=_in_open_loop(result))
    outcome, reason = _outcome(result, verdicts)
    if outcome != "holds" and result.generator.verdict == "generator-bound":
        outcome, reason = _why_late(load, result)
    if outcome == "fails" and sees_all and _is_only_the_tail(result, slos, verdicts):
        others = _cores_of_others(result) or 0.0
        if others > OTHERS * result.environment.cpus:
            busy = f"other programs used {others:.2g} of {result.environment.cpus} cores"
            outcome, reason = "disturbed", f"the machine was too busy: {busy}; {reason}"
    law = check_littles_law(result)
    if law.is_broken:
        outcome, reason = "inconclusive", f"the measurement is wrong: {law}"
    total = result.total
    return Probe(
        load=load,
        outcome=outcome,
        reason=reason,
        elapsed_s=result.window.elapsed_s,
        throughput_rps=total.throughput_rps,
        error_ratio=total.error_ratio,
        p50_s=total.latency.p50_s,
        p95_s=total.latency.p95_s,
        p99_s=total.latency.p99_s,
        in_flight=law.in_flight,
        littles_ratio=law.ratio,
        verdicts=verdicts,
    )


def _outcome(result: LoadResult, verdicts: Sequence[SloVerdict]) -> tuple[ProbeOutcome, str]:
    wrong = [verdict for verdict in verdicts if verdict.outcome != "pass"]
    failed = [verdict for verdict in wrong if verdict.outcome == "fail"]
    reason = "; ".join(f"{verdict.slo}: {verdict.reason}" for verdict in failed or wrong)
    if failed:
        return "fails", reason
    if queue_grows(result):
        return "fails", "more and more requests wait: the service does not keep up"
    if result.arrivals is not None and result.arrivals.dropped:
        return "fails", f"{result.arrivals.dropped} arrivals were dropped, because too many were in flight"
    return ("inconclusive", reason) if wrong else ("holds", "")


def _why_late(load: float, result: LoadResult) -> tuple[ProbeOutcome, str]:
    """Tell a generator at its limit from one that was kept from its work; neither says anything of a service."""
    said = "; ".join(result.generator.reasons)
    needed, ceiling_rps = result.generator.cpu_ratio, result.generator.ceiling_rps
    if _in_open_loop(result) and ceiling_rps is not None and load > ceiling_rps * result.generator.processes:
        return "generator-bound", f"the generator could not keep up: {said}"
    seconds = [second for second in result.seconds if second.measured]
    sent = sum(second.scheduled or 0 for second in seconds)
    if needed is not None and sent and _in_open_loop(result):
        # What it was given was enough for these arrivals; it would have needed as much more for all that fell due.
        needed *= max(1.0, load * sum(second.elapsed_s for second in seconds) / sent)
    if needed is None or needed >= NEAR_LIMIT:
        return "generator-bound", f"the generator could not keep up: {said}"
    return (
        "disturbed",
        f"the machine was too busy: {said}, although the generator needs {format_ratio(needed)} of a core",
    )


def _is_only_the_tail(result: LoadResult, slos: Sequence[Slo], verdicts: Sequence[SloVerdict]) -> bool:
    """Tell whether the median keeps every limit that was lost: bursts of other work delay few requests and by much."""
    median_s = result.total.latency.p50_s
    lost = [slo for slo, verdict in zip(slos, verdicts, strict=True) if verdict.outcome == "fail"]
    return bool(lost) and all(slo.unit == "s" and median_s is not None and median_s < slo.limit for slo in lost)


def _cores_of_others(result: LoadResult) -> float | None:
    """Return how many cores were busy with neither generator nor server, on average; None when one is not known."""
    cpus, cores, elapsed_s = result.environment.cpus, 0.0, 0.0
    for second in result.seconds:
        machine, generator, server = second.machine_cpu_ratio, second.generator_cpu_ratio, second.server_cpu_ratio
        if second.measured and machine is not None and generator is not None and server is not None:
            own = generator * result.generator.processes + server
            cores += (machine * cpus - own) * second.elapsed_s
            elapsed_s += second.elapsed_s
    return max(0.0, cores / elapsed_s) if elapsed_s else None


def _is_overloaded(seconds: Sequence[LoadSecond]) -> bool:
    due = sum(second.scheduled or 0 for second in seconds)
    waiting = due - sum(second.requests for second in seconds)
    return len(seconds) >= OVERLOADED_SECONDS and waiting > max(FEW_WAITING, OVERLOADED * due)


def _in_open_loop(result: LoadResult) -> bool:
    return result.loop == "open"


def _whole_seconds(result: LoadResult) -> list[LoadSecond]:
    return [second for second in result.seconds if second.measured and second.elapsed_s > 0.9]
