"""What can be read from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from perfcli.errors import TargetUnreachableError
from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery, RecordPage, as_timestamp

_logger = logging.getLogger("perfcli.logs")

# Records of several workers arrive out of order, by a batch or by the time a store was away.
_WINDOW = timedelta(seconds=10)
WINDOW_RECORDS = 10_000


Before: TypeAlias = Callable[[Iterable[Record]], object]
"""Takes records of which the oldest comes first."""


def ignore(_records: Iterable[Record]) -> None:
    """Do without the records before the first."""


class LogSource(Protocol):
    """A place with log records.

    Attributes:
        address: What a person knows it by, secrets masked.
        broken: Lines so far that begin like a record and are none; 0 where only records are stored.
        unread: Older records that fulfil the conditions of the last `scan` of all of them, and were too many; 0 where
            a scan knows no bound.
    """

    address: str
    broken: int
    unread: int

    def read(self, query: LogQuery) -> list[Record]:
        """Return the records asked for, the newest first.

        Raises:
            TargetUnreachableError: Nobody answers.
            TargetAnswerError: The answer is an error, or no log.
            UsageError: A file is no log.
        """
        ...

    def scan(self, query: LogQuery) -> Iterator[Record]:
        """Yield the records that fulfil the conditions, in any order, without holding all of them in memory.

        With a limit there may be more than that, among them the newest so many. Raises what `read` does.
        """
        ...

    def follow(self, query: LogQuery, wait: Callable[[], object], before: Before = ignore) -> Iterator[Record]:
        """Yield the records asked for, the oldest first, and then each new one; call `wait` when there is none.

        Args:
            query: The records to begin with, and the conditions of all.
            wait: Called when there is no new record.
            before: Is given, once, what fulfils the conditions and came before the first; a pipe has nothing of it.

        Raises:
            TargetUnreachableError: Nobody answers.
            TargetAnswerError: The answer is an error, or no log.
        """
        ...

    def close(self) -> None:
        """Give back the connection or the file."""
        ...


class LogStore(LogSource, Protocol):
    """A store that the API itself reads, a page at a time."""

    def page(self, query: LogQuery, offset: int) -> RecordPage:
        """Return the records that follow the newest `offset` of those asked for. Raises what `read` does."""
        ...


def poll(
    read: Callable[[LogQuery], list[Record]], query: LogQuery, wait: Callable[[], object], before: Before = ignore
) -> Iterator[Record]:
    """Follow a store that can only be asked: show the newest, then whatever was not there before.

    One that has answered once may go away, as in a restart: that is said, and it is asked until it is back.
    """
    found = read(replace(query, limit=WINDOW_RECORDS))
    before(reversed(found[query.limit :]))
    yield from reversed(found[: query.limit])
    is_away = False
    while True:
        if found:
            query = replace(query, since=max(query.since or "", _window_start(found[0].timestamp)))
        wait()
        seen = {record.id for record in found}
        try:
            found = read(replace(query, limit=WINDOW_RECORDS)) or found
        except TargetUnreachableError as error:
            if not is_away:
                _logger.warning("%s It is asked again until it answers.", error.message)
            is_away = True
            continue
        if is_away:
            is_away = False
            _logger.warning("It answers again.")
        yield from (record for record in reversed(found) if record.id not in seen)


def _window_start(newest: str) -> str:
    return as_timestamp(datetime.fromisoformat(newest) - _WINDOW)
