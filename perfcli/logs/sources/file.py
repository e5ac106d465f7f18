"""A file or stdin with one JSON object a line; whatever else stands there is passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery


class FileSource:
    """Reads a stream from where it stands.

    Attributes:
        address: Path of the file, or `stdin`.
    """

    def __init__(self, stream: BinaryIO, address: str) -> None:
        self.address = address
        self._stream = stream
        self._begun = b""

    def read(self, query: LogQuery) -> list[Record]:
        """Read to the end; a line that has no end yet is left for the next call."""
        return query.select(self._records())

    def follow(self, query: LogQuery, wait: Callable[[], object]) -> Iterator[Record]:
        """Read on as the file grows, from its start when it was cut short; a pipe ends when its writer does."""
        if self._stream.seekable():
            yield from reversed(self.read(query))
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
            self._begun = b"" if line.endswith(b"\n") else line
            if not self._begun:
                try:
                    yield Record.from_line(line)
                except ValueError:
                    # The server and its libraries print there as well.
                    continue
