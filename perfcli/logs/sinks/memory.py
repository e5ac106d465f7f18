"""The last records in memory: what `/logs` shows when no store is configured."""

from __future__ import annotations

import threading
from collections import deque

from perfcli.logs.batch import Batch, Receipt
from perfcli.logs.entry import Record


class MemorySink:
    """Keeps the newest records of this process."""

    name = "memory"
    address = "memory"
    durable = False

    def __init__(self, max_records: int) -> None:
        self._records: deque[Record] = deque(maxlen=max_records)
        self._lock = threading.Lock()

    def deliver(self, batch: Batch) -> Receipt:
        """Keep the records, and forget the oldest."""
        with self._lock:
            self._records.extend(batch.records)
        return Receipt()

    def newest_first(self) -> list[Record]:
        """Return what there is; from any thread."""
        with self._lock:
            return list(reversed(self._records))

    def forked(self) -> None:
        """Start empty: the records of the parent are the parent's to show."""
        self._lock = threading.Lock()
        self._records.clear()

    def close(self) -> None:
        """Keep the records: somebody may still read them."""
