"""The list in Redis that the sink of the same name fills."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import redis

from perfcli.errors import TargetAnswerError, TargetUnreachableError, UsageError
from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery, RecordPage
from perfcli.logs.sources.protocol import Before, ignore, poll
from perfcli.secrets import mask_url


class RedisSource:
    """Reads the whole list: it is bounded."""

    def __init__(self, url: str, key: str, timeout_s: float = 5.0) -> None:
        """Connect nothing yet.

        Raises:
            UsageError: The URL is none of Redis.
        """
        self.address = mask_url(url)
        self.broken = self.unread = 0
        self._key = key
        try:
            self._client = redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
        except ValueError:
            # Its text may quote what it takes for the port, and what is the beginning of the password.
            hint = "Write it like redis://localhost:6379/0, and /, ? and # in a password as %2F, %3F and %23."
            raise UsageError(f"{self.address} is no address of Redis.", hint) from None

    def newest_first(self) -> list[Record]:
        """Return all records of the list in its own order; lines of other programs are left out.

        Raises:
            TargetUnreachableError: Nobody answers.
            TargetAnswerError: The key holds something else, or the server refuses us.
        """
        try:
            lines = cast(list[bytes], self._client.lrange(self._key, 0, -1))
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            raise TargetUnreachableError(
                f"Cannot read logs from {self.address}: {str(error).rstrip('.')}.",
                "Start Redis, or name another place with --from.",
            ) from error
        except redis.RedisError as error:
            message = f"Cannot read the list {self._key} of {self.address}: {str(error).rstrip('.')}."
            raise TargetAnswerError(message) from error
        return list(self._records(lines))

    def read(self, query: LogQuery) -> list[Record]:
        """Return the records asked for, the newest first."""
        return query.newest(self.scan(query))

    def scan(self, query: LogQuery) -> Iterator[Record]:
        """Yield the records in the order of the list."""
        return query.matching(self.newest_first())

    def page(self, query: LogQuery, offset: int) -> RecordPage:
        """Return one page of the records asked for."""
        return query.page(self.newest_first(), offset)

    def follow(self, query: LogQuery, wait: Callable[[], object], before: Before = ignore) -> Iterator[Record]:
        """Ask for new records."""
        return poll(self.read, query, wait, before)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _records(self, lines: list[bytes]) -> Iterator[Record]:
        self.broken = 0
        for line in lines:
            try:
                yield Record.from_line(line + b"\n")
            except ValueError:
                self.broken += line.startswith(b"{")
