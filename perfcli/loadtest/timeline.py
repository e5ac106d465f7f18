"""The course of a run in a bounded number of slots, so that the measured window can be chosen when the run is over."""

from __future__ import annotations

from dataclasses import dataclass, field

from perfcli.loadtest.messages import Second
from perfcli.loadtest.steady import Level
from perfcli.loadtest.tally import Durations, EndpointTally, TimingTally, merged

MOST_SLOTS = 120

EndpointKey = tuple[str, str]
"""Method and name."""
Totals = dict[EndpointKey, EndpointTally]


@dataclass(slots=True)
class Slot:
    """One or several successive seconds.

    Attributes:
        start_s: From the start of the run.
        elapsed_s: Its length.
        seconds: Number of seconds it holds.
        scheduled: Requests due in it.
        endpoints: What each endpoint did.
        timings: What the server says of its own work.
        lag: Actual minus intended start of the requests sent in it; empty in a closed loop.
    """

    start_s: float
    elapsed_s: float = 0.0
    seconds: int = 0
    scheduled: int = 0
    endpoints: dict[EndpointKey, EndpointTally] = field(default_factory=dict)
    timings: TimingTally = field(default_factory=TimingTally)
    lag: Durations = field(default_factory=Durations)
    _level: Level | None = None

    def add(self, second: Second) -> None:
        """Add the second that follows."""
        self._level = None
        self.elapsed_s += second.elapsed_s
        self.seconds += 1
        self.scheduled += second.due
        self.lag.add(second.lag)
        for header, answers in second.server_timing.items():
            self.timings.add(header, answers)
        for endpoint in second.endpoints:
            self.endpoints.setdefault((endpoint.method, endpoint.name), EndpointTally()).add(endpoint)

    def merge(self, following: Slot) -> None:
        """Add the slot that follows."""
        self._level = None
        self.elapsed_s += following.elapsed_s
        self.seconds += following.seconds
        self.scheduled += following.scheduled
        self.timings.merge(following.timings)
        self.lag.add(following.lag)
        _add_all(self.endpoints, following)

    def level(self, *, open_loop: bool) -> Level:
        """Return what tells whether the load has settled.

        In an open loop the answers are counted per arrival, because random arrivals fluctuate by themselves.
        """
        if self._level is None:
            total = merged(self.endpoints.values())
            per = self.scheduled if open_loop else self.elapsed_s
            self._level = Level(
                throughput=total.requests / per if per else 0.0,
                latency_s=total.response.percentile_s(0.5) if total.response.counts else None,
                requests=total.requests,
            )
        return self._level


class Timeline:
    """Slots of equal length; when there are too many, neighbours are joined and the length doubles."""

    def __init__(self, most_slots: int = MOST_SLOTS) -> None:
        self.slots: list[Slot] = []
        self._most_slots = most_slots
        self._span = 1
        self._summed = range(0)
        self._sums: Totals = {}

    @property
    def elapsed_s(self) -> float:
        """Time recorded so far."""
        return self.slots[-1].start_s + self.slots[-1].elapsed_s if self.slots else 0.0

    def add(self, second: Second) -> None:
        """Add the second that follows."""
        if not self.slots or self.slots[-1].seconds >= self._span:
            self._make_room()
            self.slots.append(Slot(self.elapsed_s))
        self.slots[-1].add(second)

    def _make_room(self) -> None:
        if len(self.slots) < self._most_slots:
            return
        for left, right in zip(self.slots[::2], self.slots[1::2], strict=True):
            left.merge(right)
        del self.slots[1::2]
        self._span *= 2
        self._summed, self._sums = range(0), {}

    def totals_from(self, first: int) -> Totals:
        """Return what each endpoint did from a slot on, by name.

        A run that is asked every second whether it may stop asks for this every second: the sum of the slots that do
        not change any more is kept.
        """
        closed = range(first, max(first, len(self.slots) - 1))
        if self._summed.start != first or self._summed.stop > closed.stop:
            self._summed, self._sums = range(first, first), {}
        for slot in self.slots[self._summed.stop : closed.stop]:
            _add_all(self._sums, slot)
        self._summed = closed
        found: Totals = {key: merged([tally]) for key, tally in self._sums.items()}
        for slot in self.slots[closed.stop :]:
            _add_all(found, slot)
        return dict(sorted(found.items(), key=lambda item: (item[0][1], item[0][0])))


def _add_all(endpoints: Totals, slot: Slot) -> None:
    for key, tally in slot.endpoints.items():
        endpoints.setdefault(key, EndpointTally()).merge(tally)
