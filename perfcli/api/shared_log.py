"""The recent log records of several workers in one SQLite file, so that any worker can show all of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from perfcli.logs.batch import Batch, Receipt, StoreDownError
from perfcli.logs.entry import Record

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

    def __init__(self, file: Path, max_records: int) -> None:
        self.address = str(file)
        self._max_records = max_records
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS log (id TEXT PRIMARY KEY, timestamp TEXT, line BLOB) WITHOUT ROWID"
            )
            connection.execute("CREATE INDEX IF NOT EXISTS newest ON log (timestamp, id)")

    def deliver(self, batch: Batch) -> Receipt:
        """Store a batch and forget what is older than the newest `max_records`.

        Raises:
            StoreDownError: The file is locked for too long, or the disk is full.
        """
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany("INSERT OR IGNORE INTO log VALUES (?, ?, ?)", batch.records)
                connection.execute(
                    "DELETE FROM log WHERE (timestamp, id) <= "
                    "(SELECT timestamp, id FROM log ORDER BY timestamp DESC, id DESC LIMIT 1 OFFSET ?)",
                    (self._max_records,),
                )
        except sqlite3.Error as error:
            raise StoreDownError(str(error)) from error
        return Receipt()

    def newest_first(self) -> list[Record]:
        """Return the records of all workers."""
        with closing(self._connect()) as connection:
            rows = connection.execute("SELECT id, timestamp, line FROM log ORDER BY timestamp DESC, id DESC")
            return [Record(*row) for row in rows]

    def forked(self) -> None:
        """Nothing is kept open between calls, so a child has nothing of its parent's."""

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.address, timeout=_LOCK_TIMEOUT_S)
        # A crash of the machine may lose this file: it is temporary anyway.
        connection.execute("PRAGMA synchronous = OFF")
        return connection
