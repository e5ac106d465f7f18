"""Counts and durations added up over seconds, and the statistics made from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from perfcli.loadtest.buckets import HISTOGRAM_DIGITS, HISTOGRAM_MAX_NS, highest_in_bucket
from perfcli.loadtest.messages import Endpoint, Latencies
from perfcli.records.latency_counts import LatencyCounts, count_latencies
from perfcli.records.load import EndpointResult, Quantiles
from perfcli.statistics import samples_needed
from perfcli.statistics.percentiles import nearest_rank
from perfcli.targets.server_timing import parse_server_timing
from perfcli.units import from_milliseconds

PERCENTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


@dataclass(slots=True)
class Durations:
    """A histogram that others are added to; exact, because equal buckets are added."""

    counts: dict[int, int] = field(default_factory=dict)
    sum_ns: int = 0
    max_ns: int = 0

    def add(self, other: Latencies | Durations) -> None:
        """Add all durations of another histogram."""
        if not self.counts:
            self.counts = dict(other.counts)
        else:
            counts = self.counts
            for bucket, count in other.counts.items():
                counts[bucket] = counts.get(bucket, 0) + count
        self.sum_ns += other.sum_ns
        self.max_ns = max(self.max_ns, other.max_ns)

    @property
    def total(self) -> int:
        """Number of durations."""
        return sum(self.counts.values())

    @property
    def shortest_s(self) -> float | None:
        """The longest duration that the bucket of the shortest stands for; None without any."""
        return min(highest_in_bucket(min(self.counts)), self.max_ns) / 1e9 if self.counts else None

    def percentile_s(self, q: float) -> float:
        """Return the nearest-rank percentile: the longest duration its bucket stands for, at most the true maximum.

        Raises:
            ValueError: There are no durations.
        """
        rank = nearest_rank(self.total, q)
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return min(highest_in_bucket(bucket), self.max_ns) / 1e9
        raise AssertionError("a rank is at most the total")

    def quantiles(self) -> Quantiles:
        """Return the percentiles that there are enough durations for."""
        total = self.total
        p50, p90, p95, p99, p99_9 = (self.percentile_s(q) if total >= samples_needed(q) else None for q in PERCENTILES)
        longest = self.max_ns / 1e9 if total else None
        mean = self.sum_ns / total / 1e9 if total else None
        return Quantiles(p50, p90, p95, p99, p99_9, longest, mean)

    def by_class(self) -> LatencyCounts | None:
        """Return the histogram in its few classes; exact, because no bucket lies in two of them."""
        return count_latencies({highest_in_bucket(bucket): count for bucket, count in self.counts.items()})

    def encoded(self) -> str:
        """Return the histogram in HdrHistogram's own base64 encoding."""
        from hdrh.histogram import HdrHistogram

        histogram = HdrHistogram(1, HISTOGRAM_MAX_NS, HISTOGRAM_DIGITS)
        for bucket, count in self.counts.items():
            histogram.counts[bucket] = count
        if self.counts:
            # The encoder writes as many counts as the longest duration needs, so it must be told.
            histogram.set_internal_tacking_values(min(self.counts), max(self.counts), self.total)
        return str(histogram.encode().decode())


@dataclass(slots=True)
class EndpointTally:
    """What one endpoint did over any number of seconds.

    Attributes:
        requests: That ended.
        failures: Those of them that failed.
        response: Of the successes, from the intended start.
        service: Of the successes, from the sending.
        failed: Of the failures, from the intended start.
        time_ns: From the sending to the end, of all requests together.
    """

    requests: int = 0
    failures: int = 0
    response: Durations = field(default_factory=Durations)
    service: Durations = field(default_factory=Durations)
    failed: Durations = field(default_factory=Durations)
    time_ns: int = 0

    def add(self, endpoint: Endpoint) -> None:
        """Add one second; in a closed loop the service time is the response time."""
        succeeded, failed = endpoint.succeeded, endpoint.failed
        service = succeeded.service or succeeded.response
        self.requests += succeeded.count + failed.count
        self.failures += failed.count
        self.response.add(succeeded.response)
        self.service.add(service)
        self.failed.add(failed.response)
        self.time_ns += service.sum_ns + (failed.service or failed.response).sum_ns

    def merge(self, other: EndpointTally) -> None:
        """Add another tally."""
        self.requests += other.requests
        self.failures += other.failures
        self.response.add(other.response)
        self.service.add(other.service)
        self.failed.add(other.failed)
        self.time_ns += other.time_ns

    def result(self, elapsed_s: float) -> EndpointResult:
        """Return the statistics over a window of this length."""
        return EndpointResult(
            requests=self.requests,
            failures=self.failures,
            elapsed_s=elapsed_s,
            latency=self.response.quantiles(),
            service=self.service.quantiles(),
            failure_latency=self.failed.quantiles(),
            histogram=self.response.encoded(),
            mean_time_s=self.time_ns / self.requests / 1e9 if self.requests else None,
        )


@dataclass(slots=True)
class TimingTally:
    """Durations by metric of the header `Server-Timing`; in the order the metrics were first sent."""

    sums: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, header: str, answers: float) -> None:
        """Add a header that stands for so many answers; a metric without a duration is left out."""
        for metric in parse_server_timing(header):
            if metric.duration_ms is not None:
                self._add(metric.name, answers, from_milliseconds(metric.duration_ms) * answers)

    def merge(self, other: TimingTally) -> None:
        """Add another tally."""
        for name, (count, sum_s) in other.sums.items():
            self._add(name, count, sum_s)

    def means_s(self) -> dict[str, float]:
        """Return the mean duration by metric."""
        return {name: sum_s / count for name, (count, sum_s) in self.sums.items()}

    def _add(self, name: str, count: float, sum_s: float) -> None:
        before, before_s = self.sums.get(name, (0, 0.0))
        self.sums[name] = (before + count, before_s + sum_s)


def merged(tallies: Iterable[EndpointTally]) -> EndpointTally:
    """Return the sum of tallies."""
    total = EndpointTally()
    for tally in tallies:
        total.merge(tally)
    return total
