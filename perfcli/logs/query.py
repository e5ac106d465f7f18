"""Which records somebody wants to see, in terms that every store understands."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

import orjson

from perfcli.errors import UsageError
from perfcli.logs.entry import Record
from perfcli.units import parse_duration

_timestamp = attrgetter("timestamp")


class RecordPage(NamedTuple):
    """Some of the records that match.

    Attributes:
        records: Those of the page, the newest first.
        total: How many match on all pages.
    """

    records: list[Record]
    total: int


@dataclass(frozen=True, slots=True)
class LogQuery:
    """The newest records that fulfil all conditions.

    Attributes:
        since: Oldest timestamp, in the form records carry; None: no bound.
        level: Name of the lowest level; None: all.
        transaction_id: Id of one request; None: all.
        limit: Most records; None: all.
    """

    since: str | None = None
    level: str | None = None
    transaction_id: str | None = None
    limit: int | None = None

    def accepted_levels(self) -> list[str]:
        """Return the names of the levels that are not below `level`."""
        numbers = logging.getLevelNamesMapping()
        lowest = numbers[self.level] if self.level else 0
        return [name for name, number in numbers.items() if number >= lowest]

    def select(self, records: Iterable[Record]) -> list[Record]:
        """Return those of the records that fulfil the conditions, the newest first."""
        return self.newest(self.matching(records))

    def page(self, records: Iterable[Record], offset: int) -> RecordPage:
        """Return those that follow the newest `offset` of the records that fulfil the conditions."""
        found = sorted(self.matching(records), key=_timestamp, reverse=True)
        end = None if self.limit is None else offset + self.limit
        return RecordPage(found[offset:end], len(found))

    def matching(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield those of the records that fulfil the conditions, in the order they come; the limit is none of them."""
        levels = set(self.accepted_levels())
        for record in records:
            if self.since is not None and record.timestamp < self.since:
                continue
            if (self.level or self.transaction_id) and not self._accepts(orjson.loads(record.line), levels):
                continue
            yield record

    def newest(self, records: Iterable[Record]) -> list[Record]:
        """Sort records, the newest first, and cut them to the limit; no more than that is held in memory."""
        if self.limit is None:
            return sorted(records, key=_timestamp, reverse=True)
        return heapq.nlargest(self.limit, records, key=_timestamp)

    def _accepts(self, document: Mapping[str, object], levels: set[str]) -> bool:
        # Of what is not ours the level may be anything, also what cannot be in a set.
        level = document.get("level")
        has_level = self.level is None or (isinstance(level, str) and level in levels)
        return has_level and (self.transaction_id is None or self.transaction_id == document.get("transaction_id"))


def oldest_timestamp(since: str, now: datetime) -> str:
    """Turn an age (`5m`) or a moment (ISO 8601, UTC without an offset) into the form records carry.

    Raises:
        UsageError: It is neither, or lies before the calendar.
    """
    try:
        moment = datetime.fromisoformat(since)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        try:
            moment = now - timedelta(seconds=parse_duration(since))
        except (UsageError, OverflowError):
            raise UsageError(
                f"'{since}' is neither an age nor a moment.", "Write it like 5m, 1h or 2026-01-31T12:00:00."
            ) from None
    return as_timestamp(moment)


def as_timestamp(moment: datetime) -> str:
    """Write a UTC moment in the form records carry, so that the order of the texts is the order in time."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
