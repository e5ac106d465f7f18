"""Records on disk while their store is down: one folder per store, shared by all processes that write to it.

A sealed file is one batch, and its name is the batch's id: a batch that is sent again, by whatever process, is the same
batch, and the store recognises it. Files survive the death of a process, not of the machine: nothing is fsynced.

Locks make several processes safe, and the kernel gives them back when a process dies. Whoever sends from the folder
holds `lock`. Whoever appends to a file holds that file, so an unsealed file that can be locked has lost its owner.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from perfcli.logs.batch import BATCH_RECORDS, Batch, BatchIds
from perfcli.logs.entry import Record

_logger = logging.getLogger("perfcli.logs")
_OPEN = ".open"
_SEALED = ".batch"
# A file that is still being made has a name that begins with a dot, which `*` would match.
_OPEN_FILES = f"[0-9]*{_OPEN}"
_SEALED_FILES = f"[0-9]*{_SEALED}"


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """The oldest batch of a folder, while nobody else can send it.

    Attributes:
        batch: Its records.
        torn: Lines that cannot be read, because a write was cut off; they are lost.
    """

    batch: Batch
    torn: int
    _path: Path

    def remove(self) -> None:
        """Forget the batch, which is delivered."""
        self._path.unlink()

    def keep(self, records: Sequence[Record]) -> None:
        """Keep only these records for the next attempt."""
        _write_whole(self._path, records)


class _Appended:
    """The one file a process appends to, until it is a full batch or is sent."""

    def __init__(self, path: Path) -> None:
        # Locked under a name nobody looks for, and named afterwards: nobody can take it in between.
        hidden = path.with_name(f".{path.name}")
        self.path = path
        self.fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.records = 0
        self._size = 0
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        hidden.rename(path)

    def append(self, records: Sequence[Record]) -> None:
        data = b"".join(record.line for record in records)
        written = 0
        try:
            while written < len(data):
                written += os.write(self.fd, memoryview(data)[written:])
        except OSError:
            os.ftruncate(self.fd, self._size)
            raise
        self._size += written
        self.records += len(records)

    def seal(self) -> None:
        try:
            self.path.rename(self.path.with_suffix(_SEALED))
        finally:
            os.close(self.fd)


class Spool:
    """The part of one process in the folder of one store. A disk that fails is said once and takes nothing."""

    def __init__(self, folder: Path, ids: BatchIds, max_bytes: int, time_ns: Callable[[], int] = time.time_ns) -> None:
        """Use a folder, which is made when something has to be written.

        Args:
            folder: The folder of one store.
            ids: Names of new batches.
            max_bytes: What all processes together may keep in the folder.
            time_ns: Clock that orders the batches of several processes.
        """
        self._folder = folder
        self._ids = ids
        self._max_bytes = max_bytes
        self._time_ns = time_ns
        self._appended: _Appended | None = None
        self._has_warned = False
        self._is_locked_out = False
        self._unreadable: set[Path] = set()

    def append(self, records: Sequence[Record]) -> int:
        """Write records that were not sent yet; return how many, from the first, there was room for."""
        taken = 0
        try:
            fitting = self._count_fitting(records)
            while taken < fitting:
                file = self._appended = self._appended or _Appended(self._new_path(self._ids.next(), _OPEN))
                part = records[taken : min(fitting, taken + BATCH_RECORDS - file.records)]
                file.append(part)
                taken += len(part)
                if file.records == BATCH_RECORDS:
                    self.seal()
        except OSError as error:
            self._warn(error)
        return taken

    def store(self, batch: Batch) -> bool:
        """Write a batch that the store may or may not have taken; say whether there was room."""
        try:
            if self._count_fitting(batch.records) < len(batch.records):
                return False
            _write_whole(self._new_path(batch.id, _SEALED), batch.records)
        except OSError as error:
            self._warn(error)
            return False
        return True

    def seal(self) -> None:
        """Finish the file that is being appended to, so that any process can send it."""
        if self._appended is not None:
            file, self._appended = self._appended, None
            try:
                file.seal()
            except OSError as error:
                self._warn(error)

    @contextmanager
    def oldest(self) -> Iterator[SpooledBatch | None]:
        """Hold the oldest batch; None when there is none, or another process is sending at this moment."""
        with self._sole_sender() as alone:
            yield self._first() if alone else None

    def forked(self) -> None:
        """Leave the open file to the parent, in a forked child."""
        if self._appended is not None:
            # Closing the copy keeps the parent's lock: it belongs to the open file that both share.
            with suppress(OSError):
                os.close(self._appended.fd)
            self._appended = None

    def _first(self) -> SpooledBatch | None:
        self._adopt_orphans()
        first = self._first_sealed()
        if first is None and self._appended is not None:
            self.seal()
            first = self._first_sealed()
        return first

    def _first_sealed(self) -> SpooledBatch | None:
        for path in sorted(self._folder.glob(_SEALED_FILES)):
            with self._passing_over(path):
                records, torn = _read(path)
                if records or torn:
                    batch_id = path.stem.partition("_")[2]
                    return SpooledBatch(Batch(batch_id, records), torn, path)
                path.unlink()
        return None

    def _adopt_orphans(self) -> None:
        own = self._appended.path if self._appended else None
        for path in self._folder.glob(_OPEN_FILES):
            # The owner may seal it at any moment.
            with self._passing_over(path), suppress(BlockingIOError):
                if path != own:
                    with path.open("rb") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.rename(path.with_suffix(_SEALED))

    @contextmanager
    def _passing_over(self, path: Path) -> Iterator[None]:
        """Let one bad file, such as another user's, not hold up the others; say so once for each."""
        try:
            yield
        except FileNotFoundError:
            pass
        except OSError as error:
            if path not in self._unreadable:
                self._unreadable.add(path)
                _logger.warning("Cannot read the log records in %s: %s.", path, error.strerror)

    @contextmanager
    def _sole_sender(self) -> Iterator[bool]:
        try:
            fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            # No folder: nothing was ever spooled. Otherwise what is put there would not come out again.
            self._is_locked_out = not isinstance(error, FileNotFoundError)
            if self._is_locked_out:
                self._warn(error)
            yield False
            return
        self._is_locked_out = False
        with closing(os.fdopen(fd, "rb")) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            try:
                yield True
            finally:
                # Closing is not enough: a child that was forked meanwhile has the file open as well.
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _new_path(self, batch_id: str, suffix: str) -> Path:
        return self._folder / f"{self._time_ns():020d}_{batch_id}{suffix}"

    def _count_fitting(self, records: Sequence[Record]) -> int:
        if self._is_locked_out:
            return 0
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = itertools.chain(self._folder.glob(_SEALED_FILES), self._folder.glob(_OPEN_FILES))
        free = self._max_bytes - sum(map(_size, files))
        ends = itertools.accumulate(len(record.line) for record in records)
        return sum(1 for _ in itertools.takewhile(lambda end: end <= free, ends))

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            _logger.warning("Cannot keep log records in %s: %s.", self._folder, error.strerror)


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _read(path: Path) -> tuple[tuple[Record, ...], int]:
    records: list[Record] = []
    torn = 0
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            # Whoever wrote the last line may have left out its end, which the sinks count on.
            records.append(Record.from_line(line if line.endswith(b"\n") else line + b"\n"))
        except ValueError:
            torn += 1
    return tuple(records), torn


def _write_whole(path: Path, records: Sequence[Record]) -> None:
    unfinished = path.with_name(f".{path.name}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"".join(record.line for record in records))
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
