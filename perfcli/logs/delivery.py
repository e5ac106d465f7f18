"""Log entries from the threads of a service to the sinks, without ever holding up or hurting a request."""

from __future__ import annotations

import logging
import os
import random
import time
import weakref
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from perfcli.logs.backoff import Backoff
from perfcli.logs.batch import BatchIds, Sink
from perfcli.logs.counters import DeliveryCounters
from perfcli.logs.dead_letters import DeadLetters
from perfcli.logs.entry import Encoder, LogEntry, new_writer_id
from perfcli.logs.lane import Lane, LaneStorage
from perfcli.logs.spool import Spool
from perfcli.logs.writer import Writer


class LogDelivery:
    """Takes entries from any thread; a thread of its own hands them to the sinks.

    A forked child starts with an empty queue and its own thread; what was queued is delivered by the parent.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        level: int = logging.INFO,
        *,
        capacity: int = 10_000,
        spool_dir: Path | None = None,
        spool_max_bytes: int = 64 * 2**20,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Connect nothing and start nothing yet; the first entry does.

        Args:
            sinks: Where to; each has its own state, so that one that fails holds up the others no longer than its
                time limit.
            level: Entries below are ignored.
            capacity: Entries that wait in the queue, and records that wait for one sink in memory.
            spool_dir: Folder in which records wait while a store is down; None: they wait in memory only.
            spool_max_bytes: Room for each store in that folder.
            clock: Seconds, monotonic.
            draw: Random number from 0 to 1, for the jitter.
        """
        self._sinks = tuple(sinks)
        self._level = level
        self._capacity = capacity
        self._spool_dir = spool_dir
        self._spool_max_bytes = spool_max_bytes
        self._clock = clock
        self._backoff = Backoff(draw)
        self._writer = self._new_writer()
        _renew_in_forked_children(self)

    def submit(self, entry: LogEntry) -> None:
        """Queue an entry; never wait and never raise. What finds the queue full or closed is dropped and counted."""
        if entry.level >= self._level:
            self._writer.submit(entry)

    def start(self) -> None:
        """Start the writer now, so that it delivers what an earlier process left on disk before anything is logged."""
        self._writer.start()

    def counters(self) -> DeliveryCounters:
        """Return what became of the records of this process so far."""
        return self._writer.counters()

    def flush(self, timeout_s: float = 5.0) -> None:
        """Deliver what is queued now and not a quarter of a second later; what a store does not take then, waits on."""
        self._writer.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Deliver what is queued; at the deadline leave the rest on disk, or drop and count it. May be called twice."""
        self._writer.close(timeout_s)

    def _new_writer(self) -> Writer:
        writer_id = new_writer_id()
        lanes = [self._new_lane(sink, BatchIds(writer_id)) for sink in self._sinks]
        return Writer(Encoder(writer_id), lanes, self._level, self._capacity, self._clock)

    def _new_lane(self, sink: Sink, ids: BatchIds) -> Lane:
        storage = None
        if sink.durable and self._spool_dir is not None:
            # The address is part of the name: records for one store never end up in another.
            folder = self._spool_dir / f"{sink.name}-{sha256(sink.address.encode()).hexdigest()[:12]}"
            spool = Spool(folder, ids, self._spool_max_bytes)
            storage = LaneStorage(spool, DeadLetters(folder / "rejected.jsonl"))
        return Lane(sink, ids, self._backoff, self._clock, self._capacity, storage)

    def _begin_anew(self) -> None:
        self._writer.forked()
        self._writer = self._new_writer()


def _renew_in_forked_children(delivery: LogDelivery) -> None:
    # The interpreter never forgets the hook; a delivery that is gone must not live on in it.
    reference = weakref.ref(delivery)

    def renew() -> None:
        if (inherited := reference()) is not None:
            inherited._begin_anew()  # noqa: SLF001  # the hook belongs to the class

    os.register_at_fork(after_in_child=renew)
