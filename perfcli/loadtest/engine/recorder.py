"""Counts what happens in one second, in memory that does not grow with the number of requests."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from perfcli.loadtest.engine.faults import Kind
from perfcli.loadtest.messages import LATE_NS, Endpoint, Failures, Latencies, Outcome

_EXAMPLE_LENGTH = 300
_MAX_ENDPOINTS = 1000
_SAMPLED = 50
"""So many answers a second are looked through for what the server says of its own work."""


class Histogram:
    """Durations by bucket; the index is computed in place, because a call would cost as much as the counting.

    See `perfcli.loadtest.buckets` for the index.
    """

    __slots__ = ("counts", "max_ns", "sum_ns")

    def __init__(self) -> None:
        self.counts: defaultdict[int, int] = defaultdict(int)
        self.sum_ns = 0
        self.max_ns = 0

    def add(self, value_ns: int) -> None:
        """Count one duration."""
        shift = (value_ns | 2047).bit_length() - 11
        self.counts[(shift << 10) + (value_ns >> shift)] += 1
        self.sum_ns += value_ns
        if value_ns > self.max_ns:
            self.max_ns = value_ns

    def frozen(self) -> Latencies:
        """Return what was counted."""
        return Latencies(self.counts, self.sum_ns, self.max_ns)


@dataclass(slots=True)
class _Side:
    """Requests of one outcome."""

    count: int = 0
    response: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)

    def frozen(self, open_loop: bool) -> Outcome:
        service = self.service.frozen() if open_loop else None
        return Outcome(self.count, self.response.frozen(), service)


@dataclass(slots=True)
class _EndpointSecond:
    succeeded: _Side = field(default_factory=_Side)
    failed: _Side = field(default_factory=_Side)
    failures: dict[Kind, tuple[int, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Totals:
    """What was counted; of one second, or of the whole run.

    Attributes:
        scheduled: Arrivals that fell due; in the closed loop the requests sent.
        sent: Requests started.
        late: Of these, started more than LATE_NS after their intended start.
        dropped: Arrivals never sent.
        resent: Requests sent a second time.
        incomplete: Requests given up without an answer.
        further: Open loop: requests sent after the first one of their arrival.
        silent: Arrivals whose task sent nothing.
    """

    scheduled: int = 0
    sent: int = 0
    late: int = 0
    dropped: int = 0
    resent: int = 0
    incomplete: int = 0
    further: int = 0
    silent: int = 0

    def add(self, other: Totals) -> None:
        """Count the other's too."""
        for name in Totals.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Recorder:
    """Everything one process counts.

    Attributes:
        now: Counts of the current second.
        total: Counts of the seconds before it.
        in_flight: Requests without an answer.
        ended_ns: When the latest request ended; 0 before the first.
    """

    def __init__(self, open_loop: bool) -> None:
        self._open_loop = open_loop
        self._endpoints: dict[tuple[str, str], _EndpointSecond] = {}
        self._names: set[tuple[str, str]] = set()
        self._lag = Histogram()
        self._paths: set[str] = set()
        self.now = Totals()
        self.total = Totals()
        self.in_flight = 0
        self.ended_ns = 0
        self._in_flight_ns = 0
        self._answers = 0
        self._sampled: list[Iterable[tuple[bytes, bytes]]] = []
        self._random = Random(0).random

    def sample(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep the headers of a success, or not: each of a second has the same chance.

        Reservoir sampling, Vitter's algorithm R. The first of each second would not do: after a stall they come at
        once, and the server's account of them is longer than that of the others.
        """
        self._answers += 1
        if len(self._sampled) < _SAMPLED:
            self._sampled.append(headers)
            return
        place = int(self._random() * self._answers)
        if place < _SAMPLED:
            self._sampled[place] = headers

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the requests that go by another name in the result; of very many the first."""
        return tuple(self._paths)

    def named(self, path: str) -> None:
        """Note the path of a request that goes by another name in the result."""
        if len(self._paths) < _MAX_ENDPOINTS:
            self._paths.add(path)

    def sent(self, intended_ns: int | None, sent_ns: int) -> None:
        """Count a request that is about to be sent; without an intended start it starts when it is sent."""
        now = self.now
        now.sent += 1
        if intended_ns is None:
            if self._open_loop:
                now.further += 1
            else:
                now.scheduled += 1
            return
        lag_ns = sent_ns - intended_ns
        if lag_ns > LATE_NS:
            now.late += 1
        self._lag.add(lag_ns)

    def depart(self, sent_ns: int) -> None:
        """Count a request as in flight from this moment until it has succeeded or failed."""
        self.in_flight += 1
        self._in_flight_ns -= sent_ns

    def resent(self) -> None:
        """Count a request that had to be sent a second time."""
        self.now.resent += 1

    def succeeded(self, key: tuple[str, str], intended_ns: int, sent_ns: int, ended_ns: int) -> None:
        """Count a request that passed every check."""
        self.in_flight -= 1
        self.ended_ns = ended_ns
        self._in_flight_ns += ended_ns
        endpoint = self._endpoints.get(key) or self._endpoint(key)
        side = endpoint.succeeded
        side.count += 1
        side.response.add(ended_ns - intended_ns)
        if self._open_loop:
            side.service.add(ended_ns - sent_ns)

    def failed(
        self,
        key: tuple[str, str],
        intended_ns: int,
        sent_ns: int,
        ended_ns: int,
        kind: Kind,
        example: str,
    ) -> None:
        """Count any other that ended; of an incomplete one the time is its age."""
        self.in_flight -= 1
        self.ended_ns = ended_ns
        self._in_flight_ns += ended_ns
        endpoint = self._endpoints.get(key) or self._endpoint(key)
        side = endpoint.failed
        side.count += 1
        side.response.add(ended_ns - intended_ns)
        if self._open_loop:
            side.service.add(ended_ns - sent_ns)
        count, first = endpoint.failures.get(kind, (0, example[:_EXAMPLE_LENGTH]))
        endpoint.failures[kind] = (count + 1, first)
        if kind is Kind.INCOMPLETE:
            self.now.incomplete += 1

    def take_in_flight_ns(self, now_ns: int) -> int:
        """Return the time spent in flight since the last call, all requests' added up: the integral of `in_flight`.

        What began before counts from the last call, and what has not ended until this one.
        """
        until_now_ns = self.in_flight * now_ns
        in_flight_ns = self._in_flight_ns + until_now_ns
        self._in_flight_ns = -until_now_ns
        return in_flight_ns

    def take_server_timing(self) -> dict[str, float]:
        """Return what the sampled answers say, and for how many successes each of them stands; begin the next."""
        sampled, answers = self._sampled, self._answers
        self._sampled, self._answers = [], 0
        found: Counter[str] = Counter()
        for headers in sampled:
            lines = [value.decode("latin-1") for name, value in headers if name.lower() == b"server-timing"]
            if lines:
                found[", ".join(lines)] += 1
        return {header: count * answers / len(sampled) for header, count in found.items()}

    def take(self) -> tuple[Totals, Latencies, tuple[Endpoint, ...]]:
        """Return the second that ends now, and begin the next."""
        totals, lag, endpoints = self.now, self._lag, self._endpoints
        self.total.add(totals)
        self.now, self._lag, self._endpoints = Totals(), Histogram(), {}
        return totals, lag.frozen(), tuple(self._frozen(*item) for item in endpoints.items())

    def sum(self) -> Totals:
        """Return the counts of the whole run so far."""
        result = Totals()
        result.add(self.total)
        result.add(self.now)
        return result

    def _endpoint(self, key: tuple[str, str]) -> _EndpointSecond:
        # A scenario that puts an identifier into every name would grow without bound, here and in the result.
        if key not in self._names:
            if len(self._names) >= _MAX_ENDPOINTS:
                key = (key[0], "(other)")
            self._names.add(key)
        return self._endpoints.setdefault(key, _EndpointSecond())

    def _frozen(self, key: tuple[str, str], endpoint: _EndpointSecond) -> Endpoint:
        return Endpoint(
            method=key[0],
            name=key[1],
            succeeded=endpoint.succeeded.frozen(self._open_loop),
            failed=endpoint.failed.frozen(self._open_loop),
            failures=tuple(
                Failures(kind.value, count, example) for kind, (count, example) in endpoint.failures.items()
            ),
        )
