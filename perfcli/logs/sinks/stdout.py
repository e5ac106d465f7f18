"""Standard output, shared by several workers: no line is ever broken by another's."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from perfcli.logs.batch import Batch, Receipt, StoreDownError, StoreRefusedError
from perfcli.logs.entry import Record

_GONE = {errno.EPIPE, errno.EBADF, errno.ECONNRESET}
_LOCK_POLL_S = 0.002


class StdoutSink:
    """Writes whole lines to a file descriptor, past Python's own buffer.

    A file or a terminal takes one `write` in one piece, and several processes that share or append to it do not mix. A
    pipe or a socket does so for `PIPE_BUF` bytes only: there our workers take a lock, for lines that are longer. A
    reader that does not read makes the sink fail after the time limit instead of waiting for ever.
    """

    name = "stdout"
    durable = False

    def __init__(self, fd: int = 1, timeout_s: float = 1.0) -> None:
        """Use a file descriptor that somebody else opened and will close."""
        self.address = f"fd {fd}"
        self._fd = fd
        self._timeout_s = timeout_s
        self._begun = b""

    def deliver(self, batch: Batch) -> Receipt:
        """Write the records; those that a slow reader left no room for come again."""
        deadline = time.monotonic() + self._timeout_s
        done = 0
        try:
            is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)
            # What is ready for writing takes this much without waiting.
            limit = sys.maxsize if is_file else select.PIPE_BUF
            with self._alone(deadline, needed=not is_file):
                self._write(self._begun, deadline, limit)
                for piece in [batch.records] if is_file else _pieces(batch.records):
                    done += len(piece)
                    self._write(b"".join(record.line for record in piece), deadline, limit)
        except OSError as error:
            if error.errno in _GONE:
                raise StoreRefusedError(f"stdout is gone ({error.strerror})") from error
            # A piece of which a part is written is finished by the next call; the others come again as a whole.
            if not self._begun and done:
                done -= len(piece)
            if not done:
                raise StoreDownError(f"stdout cannot be written ({error.strerror})") from error
        return Receipt(again=batch.records[done:])

    def forked(self) -> None:
        """Leave a line that is half written to the parent."""
        self._begun = b""

    def close(self) -> None:
        """Leave the descriptor open: it is not ours."""

    def _write(self, data: bytes, deadline: float, limit: int) -> None:
        """Write all of it; once a part is written, remember what is missing."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        rest = memoryview(data)
        is_begun = bool(self._begun)
        try:
            while rest:
                if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    raise TimeoutError(errno.ETIMEDOUT, "nobody reads it")
                # A descriptor that does not block may be full again by now.
                with suppress(BlockingIOError):
                    rest = rest[os.write(self._fd, rest[:limit]) :]
        finally:
            self._begun = bytes(rest) if is_begun or len(rest) < len(data) else b""

    @contextmanager
    def _alone(self, deadline: float, *, needed: bool) -> Iterator[None]:
        """Keep our other processes from writing; a lock of the process, not of the descriptor, which they share."""
        while needed:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except (BlockingIOError, PermissionError):
                if time.monotonic() > deadline:
                    raise TimeoutError(errno.ETIMEDOUT, "another process holds it") from None
                time.sleep(_LOCK_POLL_S)
        try:
            yield
        finally:
            if needed:
                fcntl.lockf(self._fd, fcntl.LOCK_UN)


def _pieces(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Cut into runs of records that one `write` takes in one piece; a longer record is alone."""
    start = size = 0
    for position, record in enumerate(records):
        if size and size + len(record.line) > select.PIPE_BUF:
            yield records[start:position]
            start, size = position, 0
        size += len(record.line)
    if size:
        yield records[start:]
