"""Several processes' seconds become one; counts are added, so nothing is lost or rounded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from perfcli.loadtest.messages import End, Endpoint, Failures, Latencies, Outcome, ScenarioError, Second


def merge_seconds(seconds: Sequence[Second]) -> Second:
    """Add up the same second of several processes."""
    endpoints: dict[tuple[str, str], list[Endpoint]] = defaultdict(list)
    for second in seconds:
        for endpoint in second.endpoints:
            endpoints[endpoint.method, endpoint.name].append(endpoint)
    return Second(
        index=seconds[0].index,
        elapsed_s=max(second.elapsed_s for second in seconds),
        users=sum(second.users for second in seconds),
        in_flight=sum(second.in_flight for second in seconds),
        in_flight_ns=sum(second.in_flight_ns for second in seconds),
        scheduled=sum(second.scheduled for second in seconds),
        sent=sum(second.sent for second in seconds),
        late=sum(second.late for second in seconds),
        dropped=sum(second.dropped for second in seconds),
        resent=sum(second.resent for second in seconds),
        further=sum(second.further for second in seconds),
        silent=sum(second.silent for second in seconds),
        lag=merge_latencies(second.lag for second in seconds),
        cpu_ratio=max(second.cpu_ratio for second in seconds),
        rss_bytes=sum(second.rss_bytes for second in seconds),
        endpoints=tuple(_merge_endpoints(same) for same in endpoints.values()),
        server_timing=_merge_server_timings(second.server_timing for second in seconds),
    )


def merge_latencies(parts: Iterable[Latencies]) -> Latencies:
    """Add histograms up, bucket by bucket."""
    counts: defaultdict[int, int] = defaultdict(int)
    sum_ns = max_ns = 0
    for part in parts:
        for bucket, count in part.counts.items():
            counts[bucket] += count
        sum_ns += part.sum_ns
        max_ns = max(max_ns, part.max_ns)
    return Latencies(dict(counts), sum_ns, max_ns)


def merge_ends(ends: Sequence[End]) -> End:
    """Add the ends of several processes up; the reason is the one most of them give."""
    reasons = [end.reason for end in ends]
    errors: dict[str, ScenarioError] = {}
    for error in (error for end in ends for error in end.scenario_errors):
        seen = errors.get(error.message)
        count = error.count + (seen.count if seen else 0)
        errors[error.message] = ScenarioError(error.message, count, (seen or error).traceback)
    return End(
        reason=max(reasons, key=reasons.count),
        elapsed_s=max(end.elapsed_s for end in ends),
        drained_s=max(end.drained_s for end in ends),
        scheduled=sum(end.scheduled for end in ends),
        sent=sum(end.sent for end in ends),
        late=sum(end.late for end in ends),
        dropped=sum(end.dropped for end in ends),
        incomplete=sum(end.incomplete for end in ends),
        further=sum(end.further for end in ends),
        silent=sum(end.silent for end in ends),
        paths=tuple(dict.fromkeys(path for end in ends for path in end.paths)),
        scenario_errors=tuple(errors.values()),
    )


class Merger:
    """Holds the seconds of the workers back until each of them has reported."""

    def __init__(self, workers: Iterable[str]) -> None:
        self._live = set(workers)
        self._pending: defaultdict[int, dict[str, tuple[Second, float]]] = defaultdict(dict)
        self._late: list[Second] = []
        self._ended_s: defaultdict[str, float] = defaultdict(float)
        self._merged_s = 0.0
        self._next = 0

    def add(self, worker: str, second: Second) -> list[Second]:
        """Take a worker's second; return those now complete, in order.

        Of a worker that reports again after it was given up, what comes too late is counted in the second that follows.
        """
        self._live.add(worker)
        self._ended_s[worker] += second.elapsed_s
        if second.index < self._next:
            # Its users and what it has in flight are those of its next second too.
            self._late.append(replace(second, users=0, in_flight=0, rss_bytes=0, cpu_ratio=0.0))
        else:
            self._pending[second.index][worker] = (second, self._ended_s[worker])
        return self._complete()

    def leave(self, worker: str) -> list[Second]:
        """Wait no longer for a worker that has ended or is lost; return the seconds now complete, in order."""
        self._live.discard(worker)
        return self._complete()

    def reported_s(self, worker: str) -> float:
        """Return the end of the last second that a worker has reported, from the start."""
        return self._ended_s[worker]

    def _complete(self) -> list[Second]:
        complete = []
        for index in sorted(self._pending):
            if not self._live <= self._pending[index].keys():
                break
            complete.append(self._merge(index, list(self._pending.pop(index).values())))
        if not self._live and self._late:
            complete.append(self._merge(self._next, []))
        return complete

    def _merge(self, index: int, parts: Sequence[tuple[Second, float]]) -> Second:
        ends_s = [ended_s for _, ended_s in parts] or list(self._ended_s.values())
        # A second in which a worker stood still lasts into those that the others report after it.
        ended_s = max([each_s for each_s in ends_s if each_s <= index + 2] or ends_s)
        elapsed_s = max(1e-9, ended_s - self._merged_s)
        merged = merge_seconds([*(second for second, _ in parts), *self._late])
        self._merged_s += elapsed_s
        self._next = index + 1
        self._late = []
        return replace(merged, index=index, elapsed_s=elapsed_s)


def _merge_server_timings(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    answers: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        for header, count in part.items():
            answers[header] += count
    return dict(answers)


def _merge_endpoints(same: Sequence[Endpoint]) -> Endpoint:
    failures: dict[str, Failures] = {}
    for part in (part for endpoint in same for part in endpoint.failures):
        seen = failures.get(part.kind)
        failures[part.kind] = Failures(part.kind, part.count + seen.count, seen.example) if seen else part
    return Endpoint(
        method=same[0].method,
        name=same[0].name,
        succeeded=_merge_outcomes([endpoint.succeeded for endpoint in same]),
        failed=_merge_outcomes([endpoint.failed for endpoint in same]),
        failures=tuple(failures.values()),
    )


def _merge_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    services = [outcome.service for outcome in outcomes if outcome.service is not None]
    return Outcome(
        count=sum(outcome.count for outcome in outcomes),
        response=merge_latencies(outcome.response for outcome in outcomes),
        service=merge_latencies(services) if services else None,
    )
