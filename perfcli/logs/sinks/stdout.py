"""Standard output, shared by several workers: no line is ever broken by another's."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from perfcli.logs.batch import Batch, Receipt, StoreDownError, StoreRefusedError
from perfcli.logs.entry import Record

_GONE = {errno.EPIPE, errno.EBADF, errno.ECONNRESET}
_LOCK_POLL_S = 0.002


class StdoutSink:
    """Writes whole lines to a file descriptor, past Python's own buffer.

    A file or a terminal takes one `write` in one piece, and several processes that share or append to it do not mix. A
    pipe or a socket does so for `PIPE_BUF` bytes only: there our workers take a lock, for lines that are longer, and
    keep it until a line is whole. A reader that does not read makes the sink fail after the time limit instead of
    waiting for ever.
    """

    name = "stdout"
    durable = False

    def __init__(self, fd: int = 1, timeout_s: float = 1.0) -> None:
        """Use a file descriptor that somebody else opened and will close."""
        self.address = f"fd {fd}"
        self._fd = fd
        self._timeout_s = timeout_s
        # What a slow reader left no room for, and the records it is the rest of.
        self._rest = b""
        self._begun: tuple[Record, ...] = ()

    def deliver(self, batch: Batch) -> Receipt:
        """Write the records; those that a slow reader left no room for, or none for all of a line, come again."""
        if self._fd == 1 and sys.__stdout__ is None:
            # Closed when the interpreter started: by now it may be any file that the service opened.
            raise StoreRefusedError("stdout is closed")
        deadline = time.monotonic() + self._timeout_s
        records = batch.records
        done = 0
        before = self._begun, len(self._rest)
        try:
            is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)
            # What is ready for writing takes this much without waiting.
            limit = sys.maxsize if is_file else select.PIPE_BUF
            with self._alone(deadline, needed=not is_file):
                # What was begun comes again, at the head of its batch.
                begun = self._begun
                self._write(begun, self._rest, deadline, limit)
                done = len(begun) if records[: len(begun)] == begun else 0
                for piece in [records[done:]] if is_file else _pieces(records[done:]):
                    self._write(piece, b"".join(record.line for record in piece), deadline, limit)
                    done += len(piece)
        except OSError as error:
            if error.errno in _GONE:
                self.close()
                raise StoreRefusedError(f"stdout is gone ({error.strerror})") from error
            if not done and before == (self._begun, len(self._rest)):
                raise StoreDownError(f"stdout cannot be written ({error.strerror})") from error
        return Receipt(again=records[done:])

    def forked(self) -> None:
        """Leave a line that is half written, and the lock, to the parent."""
        self._begun, self._rest = (), b""

    def close(self) -> None:
        """Give up a line that is half written, and the lock; leave the descriptor open: it is not ours."""
        if self._begun:
            self._begun, self._rest = (), b""
            with suppress(OSError):
                fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def _write(self, records: tuple[Record, ...], data: bytes, deadline: float, limit: int) -> None:
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
            is_begun = bool(rest) and (is_begun or len(rest) < len(data))
            self._begun, self._rest = (records, bytes(rest)) if is_begun else ((), b"")

    @contextmanager
    def _alone(self, deadline: float, *, needed: bool) -> Iterator[None]:
        """Keep our other processes from writing; a lock of the process, not of the descriptor, which they share.

        It stays taken while a line is half written: another's would end up in the middle of it.
        """
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
            if needed and not self._begun:
                fcntl.lockf(self._fd, fcntl.LOCK_UN)


def _pieces(records: tuple[Record, ...]) -> Iterator[tuple[Record, ...]]:
    """Cut into runs of records that one `write` takes in one piece; a longer record is alone."""
    start = size = 0
    for position, record in enumerate(records):
        if size and size + len(record.line) > select.PIPE_BUF:
            yield records[start:position]
            start, size = position, 0
        size += len(record.line)
    if size:
        yield records[start:]
