"""Little's law, by which a load run checks itself: requests in flight = rate x latency (Little, 1961)."""

from __future__ import annotations

from dataclasses import dataclass

from perfcli.records.load import LoadResult
from perfcli.units import format_duration, format_rate

TOLERANCE = 0.01
"""Both sides are of the same requests and the same clock; this leaves room for rounding, and for no wrong latency."""


@dataclass(frozen=True, slots=True)
class LittlesLaw:
    """Both sides of the law, of all requests that ended in the measured window, failed ones included.

    Attributes:
        in_flight: Requests without an answer, averaged over time; None without a window, and in older records.
        rate_rps: Requests that ended per second.
        mean_s: Mean time from the sending to the end; None without requests.
        edge: By so much may `ratio` be away from 1, because requests began before the window or ended after it.
    """

    in_flight: float | None
    rate_rps: float | None
    mean_s: float | None
    edge: float

    @property
    def ratio(self) -> float | None:
        """In flight over rate times latency; None when a side is not known."""
        if self.in_flight is None or not self.rate_rps or not self.mean_s:
            return None
        return self.in_flight / (self.rate_rps * self.mean_s)

    @property
    def is_broken(self) -> bool:
        """The sides differ by more than the edges of the window explain."""
        return self.ratio is not None and abs(self.ratio - 1) > TOLERANCE + self.edge

    def __str__(self) -> str:
        if self.in_flight is None or self.rate_rps is None or self.mean_s is None:
            return "nothing is known of Little's law"
        return (
            f"{self.in_flight:.3g} requests were in flight, and {format_rate(self.rate_rps)} of "
            f"{format_duration(self.mean_s)} each make {self.rate_rps * self.mean_s:.3g} (Little's law)"
        )


def check_littles_law(result: LoadResult) -> LittlesLaw:
    """Return both sides of the law for a run.

    The time in flight is added up while it passes, the latency request by request when it has ended: a request counted
    twice or never, a wrong duration or a window of the wrong length shows as a difference.
    """
    total = result.total
    inside = [second for second in result.seconds if second.measured]
    elapsed_s = sum(second.elapsed_s for second in inside)
    means = [second.mean_in_flight for second in inside]
    in_flight = None
    if elapsed_s and None not in means:
        in_flight = sum((second.mean_in_flight or 0.0) * second.elapsed_s for second in inside) / elapsed_s
    return LittlesLaw(in_flight, total.throughput_rps, total.mean_time_s, _edge(result))


def _edge(result: LoadResult) -> float:
    """Return the largest share of the latencies that lies outside of the window.

    Of those in flight at its begin, the latency counts whole, and the time in flight from there; of those in flight at
    its end, the latency does not count. None of either is longer than the longest that was seen.
    """
    total = result.total
    if not total.requests or not total.mean_time_s:
        return 0.0
    before = [second.in_flight for second in result.seconds if not second.measured][-1:]
    after = [second.in_flight for second in result.seconds if second.measured][-1:]
    longest_s = max(total.service.max_s or 0.0, total.failure_latency.max_s or 0.0)
    return max([0, *before, *after]) * longest_s / (total.requests * total.mean_time_s)
