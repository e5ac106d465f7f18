"""The recent log records of several workers in one SQLite file, so that any worker can show all of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from perfcli.logs.batch import Batch, Receipt, StoreDownError
from perfcli.logs.entry import Record

MAX_BYTES = 16 * 2**20
"""Bytes of records that are kept: the file lies beside those of prometheus_client, whose writers die of a full disk."""

# A worker waits for another's transaction, which is one batch long.
_LOCK_TIMEOUT_S = 5.0


class SharedLog:
    """A log sink that keeps the newest records of all workers, and a reader of them.

    Attributes:
        name: `memory`, for it does for several workers what the memory sink does for one.
        address: The file.
        durable: False; the file goes with the server.
    """

    name = "memory"
    durable = False

    def __init__(self, file: Path, max_records: int, max_bytes: int = MAX_BYTES) -> None:
        """Make the file if it is not there, which is nothing for two processes to do at once."""
        self.address = str(file)
        self._max_records = max_records
        self._max_bytes = max_bytes
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS log "
                "(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, timestamp TEXT, line BLOB)"
            )
            connection.execute("CREATE INDEX IF NOT EXISTS newest ON log (timestamp, id)")

    def deliver(self, batch: Batch) -> Receipt:
        """Store a batch and forget what was stored before the newest `max_records` and `max_bytes`.

        Raises:
            StoreDownError: The file is locked for too long, or the disk is full.
        """
        # The file never shrinks, and is as long as it ever was between these two statements.
        records = self._that_fit(batch)
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany("INSERT OR IGNORE INTO log (id, timestamp, line) VALUES (?, ?, ?)", records)
                # In the order of their arrival: by a clock that was set back, all new ones would be the oldest.
                connection.execute(
                    "DELETE FROM log WHERE number <= (SELECT max(number) FROM (SELECT number, "
                    "row_number() OVER newest AS records, sum(length(line)) OVER newest AS bytes "
                    "FROM log WINDOW newest AS (ORDER BY number DESC)) WHERE records > ? OR bytes > ?)",
                    (self._max_records, self._max_bytes),
                )
        except sqlite3.Error as error:
            raise StoreDownError(str(error)) from error
        return Receipt()

    def newest_first(self) -> list[Record]:
        """Return the records of all workers."""
        with closing(self._connect()) as connection:
            rows = connection.execute("SELECT id, timestamp, line FROM log ORDER BY timestamp DESC, id DESC")
            return [Record(*row) for row in rows]

    def has_forgotten(self) -> bool:
        """Tell whether there were records that are no longer kept."""
        with closing(self._connect()) as connection:
            [(first, stored)] = connection.execute(
                "SELECT (SELECT min(number) FROM log), (SELECT seq FROM sqlite_sequence WHERE name = 'log')"
            )
        return bool(stored) and first != 1

    def forked(self) -> None:
        """Nothing is kept open between calls, so a child has nothing of its parent's."""

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def _that_fit(self, batch: Batch) -> list[Record]:
        """Return the newest records of a batch that are no more than may be kept, the newest last."""
        fitting: list[Record] = []
        room_bytes = self._max_bytes
        for record in reversed(batch.records[-self._max_records :]):
            room_bytes -= len(record.line)
            if room_bytes < 0:
                break
            fitting.append(record)
        return fitting[::-1]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.address, timeout=_LOCK_TIMEOUT_S)
        # A crash of the machine may lose this file: it is temporary anyway.
        connection.execute("PRAGMA synchronous = OFF")
        return connection
