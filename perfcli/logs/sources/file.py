"""A file or stdin with one JSON object a line; whatever else stands there is passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from perfcli.errors import UsageError
from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery
from perfcli.logs.sources.protocol import WINDOW_RECORDS, Before, ignore
from perfcli.units import format_count


class FileSource:
    """Reads a stream from where it stands.

    Attributes:
        address: Path of the file, or `stdin`.
        broken: Lines so far that begin like a record and are none.
    """

    def __init__(self, stream: BinaryIO, address: str) -> None:
        self.address = address
        self.broken = self.unread = 0
        self._stream = stream
        self._begun = b""
        self._own = self._others = 0

    def read(self, query: LogQuery) -> list[Record]:
        """Read to the end, as `scan` does, and return the newest."""
        return query.newest(self.scan(query))

    def scan(self, query: LogQuery) -> Iterator[Record]:
        """Read to the end; a line that has no end yet is left for the next call.

        Raises:
            UsageError: There are lines, and none of them is a record.
        """
        yield from query.matching(self._records())
        others = self._others + bool(self._begun)
        if not self._own and others:
            raise UsageError(
                f"{self.address} is no log: {format_count(others, 'line')}, and no record among them.",
                "A record is one JSON object a line, as `perfcli serve` writes them.",
            )

    def follow(self, query: LogQuery, wait: Callable[[], object], before: Before = ignore) -> Iterator[Record]:
        """Read on as the file grows, from its start when it was cut short; a pipe ends when its writer does."""
        if self._stream.seekable():
            # A log that has just begun may hold nothing but what the server says when it starts.
            found = replace(query, limit=WINDOW_RECORDS).select(self._records())
            before(reversed(found[query.limit :]))
            yield from reversed(found[: query.limit])
        while True:
            for record in self._records():
                yield from query.select([record])
            if not self._stream.seekable():
                return
            wait()
            if os.fstat(self._stream.fileno()).st_size < self._stream.tell():
                self._stream.seek(0)
                self._begun = b""

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()

    def _records(self) -> Iterator[Record]:
        while line := self._stream.readline():
            line = self._begun + line
            self._begun = b""
            try:
                record = Record.from_line(line if line.endswith(b"\n") else line + b"\n")
            except ValueError:
                if line.endswith(b"\n"):
                    # The server and its libraries print there as well.
                    self.broken += line.startswith(b"{")
                    self._others += 1
                else:
                    self._begun = line
            else:
                self._own += 1
                yield record
