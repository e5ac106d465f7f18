"""What became of the log records of this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class SinkCounters:
    """Records of one sink, since the process started.

    Attributes:
        delivered: Taken by the store, or found there from an attempt whose answer was lost.
        dropped: Lost: found the queue full or closed, found no room to wait, or `rejected`.
        rejected: Refused by the store one by one, and written to the dead-letter file.
        retried: Sent once more because nobody knew whether the store had them; a record counts each time.
        spooled: Written to disk to wait for the store.
        waiting: In memory now. Those on disk are not counted: any process may deliver them.
    """

    delivered: int = 0
    dropped: int = 0
    rejected: int = 0
    retried: int = 0
    spooled: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryCounters:
    """Records of the whole process.

    Attributes:
        queued: Waiting for the writer now.
        cpu_ms: CPU time of the writer's thread, which reads the profiles out, writes the records and sends them.
        sinks: By name.
    """

    queued: int
    cpu_ms: float
    sinks: Mapping[str, SinkCounters]

    def document(self) -> dict[str, object]:
        """Return the counters as the log shows them."""
        return asdict(self)
