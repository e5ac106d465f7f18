"""One sink and everything about it: what waits, what failed, when to try again, what became of each record."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perfcli.logs.backoff import Backoff
from perfcli.logs.batch import (
    BATCH_RECORDS,
    Batch,
    BatchIds,
    Receipt,
    Sink,
    StoreDownError,
    StoreRefusedError,
)
from perfcli.logs.counters import SinkCounters
from perfcli.logs.dead_letters import DeadLetters
from perfcli.logs.entry import Record
from perfcli.logs.spool import Spool, SpooledBatch

_logger = logging.getLogger("perfcli.logs")

# How often to look for what other processes left behind, and for a spool that another process was sending from.
_LOOK_AGAIN_S = 0.2
_LOOK_FOR_ORPHANS_S = 10.0
# A refusal takes a person to mend, and passes all the same: a proxy that starts, a password that is being changed.
_ASK_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class LaneStorage:
    """Where the records of a durable sink wait on disk."""

    spool: Spool
    dead_letters: DeadLetters


class Lane:
    """Feeds one sink, one batch at a time. Used by the writer thread only, but for `counters` and `dropped`.

    Attributes:
        sink: Where to.
        dropped: Records lost so far.
    """

    def __init__(
        self,
        sink: Sink,
        ids: BatchIds,
        backoff: Backoff,
        clock: Callable[[], float],
        capacity: int,
        storage: LaneStorage | None = None,
    ) -> None:
        """Start empty.

        Args:
            sink: Where to.
            ids: Names of new batches.
            backoff: Waits after failures.
            clock: Seconds, monotonic.
            capacity: Records kept in memory when the disk does not take them; more are dropped.
            storage: Where records wait while the store is down; None: only in memory.
        """
        self.sink = sink
        self._ids = ids
        self._backoff = backoff
        self._clock = clock
        self._capacity = capacity
        self._storage = storage
        self._waiting: deque[Record] = deque()
        self._unsure: Batch | None = None
        self._failures = 0
        self._is_refused = False
        self._took_some = False
        self._retry_at = -math.inf
        self.dropped = self.recoveries = 0
        self._delivered = self._rejected = self._retried = self._spooled = 0

    def put(self, records: Sequence[Record]) -> None:
        """Take new records."""
        self._waiting.extend(records)
        if self._failures or len(self._waiting) > self._capacity + BATCH_RECORDS:
            self._shelter()

    def step(self) -> bool:
        """Send one batch, the oldest there is, unless the store is to be left alone; say whether to call again now."""
        if self._clock() < self._retry_at:
            return False
        try:
            return self._send_oldest()
        except OSError as error:
            self._failed(0, f"the spool fails ({error.strerror})")
            return False

    def wait_s(self) -> float | None:
        """Return how long nothing needs to be done, unless new records come; None: for ever."""
        if self._storage is None and not self._failures:
            return None
        if math.isinf(self._retry_at) and self._retry_at > 0:
            return None
        return max(0.0, self._retry_at - self._clock()) if self._failures else _LOOK_FOR_ORPHANS_S

    def close(self, deadline: float) -> None:
        """Deliver what there is until the deadline; leave the rest on disk, or drop and count it."""
        self._send_all(deadline)
        is_worth_it = True
        while is_worth_it and self.counters().waiting and self._retry_at < math.inf:
            # Only memory holds them: once more, whatever the back-off says, and again while a slow reader takes some.
            self._retry_at = -math.inf
            self._send_all(deadline)
            is_worth_it = self._took_some and self._clock() < deadline
        if self._storage is not None:
            self._storage.spool.seal()
        lost = self.counters().waiting
        if lost:
            self.dropped += lost
            self._waiting.clear()
            self._unsure = None
        self.sink.close()

    def counters(self) -> SinkCounters:
        """Return what became of the records so far."""
        unsure = self._unsure
        return SinkCounters(
            delivered=self._delivered,
            dropped=self.dropped,
            rejected=self._rejected,
            retried=self._retried,
            spooled=self._spooled,
            waiting=len(self._waiting) + (len(unsure.records) if unsure else 0),
        )

    def forked(self) -> None:
        """Leave connections and files to the parent, in a forked child."""
        self.sink.forked()
        if self._storage is not None:
            self._storage.spool.forked()

    def _send_all(self, deadline: float) -> None:
        while self._clock() < deadline and self.step():
            pass
        self._shelter()

    def _send_oldest(self) -> bool:
        if self._storage is not None:
            with self._storage.spool.oldest() as spooled:
                if spooled is not None:
                    return self._send_spooled(spooled)
        if self._failures and self._storage is not None and self._unsure is None and not self._waiting:
            self._retry_at = self._clock() + _LOOK_AGAIN_S
            return False
        batch = self._unsure or self._cut()
        return batch is not None and self._send_from_memory(batch)

    def _cut(self) -> Batch | None:
        records = tuple(self._waiting.popleft() for _ in range(min(BATCH_RECORDS, len(self._waiting))))
        return Batch(self._ids.next(), records) if records else None

    def _send_spooled(self, spooled: SpooledBatch) -> bool:
        receipt = self._send(spooled.batch)
        if receipt is None:
            return False
        self.dropped += spooled.torn
        if receipt.again:
            spooled.keep(receipt.again)
            return False
        spooled.remove()
        return True

    def _send_from_memory(self, batch: Batch) -> bool:
        self._unsure = batch
        receipt = self._send(batch)
        rest = batch.records if receipt is None else receipt.again
        self._unsure = Batch(batch.id, rest) if rest else None
        if self._unsure is not None:
            self._shelter()
        return not rest and bool(self._waiting)

    def _send(self, batch: Batch) -> Receipt | None:
        """Send and count; None: the whole batch has to be sent again."""
        self._took_some = False
        try:
            receipt = self.sink.deliver(batch) if batch.records else Receipt()
        except StoreRefusedError as error:
            self._refused(len(batch.records), str(error))
            return None
        except StoreDownError as error:
            self._failed(len(batch.records), str(error))
            return None
        except Exception as error:
            _logger.exception("A bug in the log sink %s.", self.sink.name)
            self._failed(len(batch.records), type(error).__name__)
            return None
        self._took_some = len(receipt.again) < len(batch.records)
        self._delivered += len(batch.records) - len(receipt.again) - len(receipt.rejected)
        self._rejected += len(receipt.rejected)
        self.dropped += len(receipt.rejected)
        if receipt.rejected and self._storage is not None:
            self._storage.dead_letters.append(receipt.rejected)
        if receipt.again:
            self._failed(len(receipt.again), "it is busy")
            if not self.sink.durable:
                # Part of a line is also something: a slow reader reads, and is not longer away each time.
                self._took_some = True
                self._retry_at = self._clock() + self._backoff.delay_s(1)
        elif self._failures:
            self._failures = 0
            self._is_refused = False
            self.recoveries += 1
            _logger.info("%s takes log records again.", self.sink.name)
        return receipt

    def _failed(self, records: int, reason: str) -> None:
        self._failures += 1
        self._retried += records
        self._retry_at = self._clock() + self._backoff.delay_s(self._failures)
        if self._failures == 1:
            _logger.warning("Log records for %s have to wait: %s.", self.sink.name, reason.rstrip("."))

    def _refused(self, records: int, reason: str) -> None:
        self._failures += 1
        self._retry_at = math.inf
        if self.sink.durable:
            self._retried += records
            self._retry_at = self._clock() + _ASK_AGAIN_S
        if not self._is_refused:
            self._is_refused = True
            _logger.error("%s takes no log records: %s.", self.sink.name, reason)

    def _shelter(self) -> None:
        """Move what is in memory to disk; what the disk does not take stays, up to the capacity."""
        if self._storage is not None:
            spool = self._storage.spool
            if self._unsure is not None and spool.store(self._unsure):
                self._spooled += len(self._unsure.records)
                self._unsure = None
            taken = spool.append(list(self._waiting))
            self._spooled += taken
            for _ in range(taken):
                self._waiting.popleft()
        while len(self._waiting) > self._capacity:
            self._waiting.pop()
            self.dropped += 1
