"""The course of a run in a bounded number of slots, so that the measured window can be chosen when the run is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from perfcli.loadtest.steady import Level
from perfcli.loadtest.tally import EndpointTally, TimingTally, merged
from perfcli.loadtest.wire import Second

MOST_SLOTS = 120

EndpointKey = tuple[str, str]
"""Method and name."""


@dataclass(slots=True)
class Slot:
    """One or several successive seconds.

    Attributes:
        start_s: From the start of the run.
        elapsed_s: Its length.
        seconds: Number of seconds it holds.
        scheduled: Arrivals due in it.
        endpoints: What each endpoint did.
        timings: What the server says of its own work.
    """

    start_s: float
    elapsed_s: float = 0.0
    seconds: int = 0
    scheduled: int = 0
    endpoints: dict[EndpointKey, EndpointTally] = field(default_factory=dict)
    timings: TimingTally = field(default_factory=TimingTally)

    def add(self, second: Second) -> None:
        """Add the second that follows."""
        self.elapsed_s += second.elapsed_s
        self.seconds += 1
        self.scheduled += second.scheduled
        for header in second.server_timing:
            self.timings.add(header)
        for endpoint in second.endpoints:
            self.endpoints.setdefault((endpoint.method, endpoint.name), EndpointTally()).add(endpoint)

    def merge(self, following: Slot) -> None:
        """Add the slot that follows."""
        self.elapsed_s += following.elapsed_s
        self.seconds += following.seconds
        self.scheduled += following.scheduled
        self.timings.merge(following.timings)
        for key, tally in following.endpoints.items():
            self.endpoints.setdefault(key, EndpointTally()).merge(tally)

    def level(self, *, open_loop: bool) -> Level:
        """Return what tells whether the load has settled.

        In an open loop the answers are counted per arrival, because random arrivals fluctuate by themselves.
        """
        total = merged(self.endpoints.values())
        per = self.scheduled if open_loop else self.elapsed_s
        return Level(
            throughput=total.requests / per if per else 0.0,
            latency_s=total.response.percentile_s(0.5) if total.response.counts else None,
            requests=total.requests,
        )


class Timeline:
    """Slots of equal length; when there are too many, neighbours are joined and the length doubles."""

    def __init__(self, most_slots: int = MOST_SLOTS) -> None:
        self.slots: list[Slot] = []
        self._most_slots = most_slots
        self._span = 1

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


def totals(slots: Iterable[Slot]) -> dict[EndpointKey, EndpointTally]:
    """Return what each endpoint did over all these slots."""
    endpoints: dict[EndpointKey, EndpointTally] = {}
    for slot in slots:
        for key, tally in slot.endpoints.items():
            endpoints.setdefault(key, EndpointTally()).merge(tally)
    return dict(sorted(endpoints.items(), key=lambda item: (item[0][1], item[0][0])))
