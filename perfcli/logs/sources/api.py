"""`GET /logs` of the inference API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import httpx
import orjson

from perfcli.errors import TargetAnswerError
from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery
from perfcli.logs.sources.http import get_json
from perfcli.logs.sources.protocol import Before, ignore, poll
from perfcli.secrets import mask_url

_PAGE = 1000
# The store behind the API has to pass over the records before a page, again for each one.
_MOST = 100_000


class ApiSource:
    """Reads page by page, the newest 100 000 records at most."""

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 10.0) -> None:
        self.address = mask_url(url)
        self.broken = self.unread = 0
        headers = {} if token is None else {b"authorization": f"Bearer {token}".encode()}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)

    def read(self, query: LogQuery) -> list[Record]:
        """Return the records asked for, the newest first."""
        return query.newest(self.scan(query))

    def scan(self, query: LogQuery) -> Iterator[Record]:
        """Yield the newest first, as far as nothing new comes meanwhile."""
        # A record that comes in between moves the others one place on, so that some are seen twice.
        self.unread = 0
        seen: set[str] = set()
        offset = 0
        while len(seen) < (_MOST if query.limit is None else query.limit):
            total, page = self._page(query, offset)
            for record in page:
                if record.id not in seen:
                    seen.add(record.id)
                    yield record
            offset += len(page)
            if len(page) < _PAGE:
                return
        self.unread = 0 if query.limit else total - offset

    def follow(self, query: LogQuery, wait: Callable[[], object], before: Before = ignore) -> Iterator[Record]:
        """Ask for new records."""
        return poll(self.read, query, wait, before)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _page(self, query: LogQuery, offset: int) -> tuple[int, list[Record]]:
        asked = {"since": query.since, "level": query.level, "request_id": query.transaction_id}
        parameters = {name: value for name, value in asked.items() if value is not None}
        parameters |= {"limit": str(_PAGE), "offset": str(offset)}
        answer = get_json(self._client, self._client.build_request("GET", "/logs", params=parameters), self.address)
        try:
            records = [Record.from_line(orjson.dumps(log) + b"\n") for log in cast(list[object], answer["logs"])]
            return int(cast(int, answer["total"])), records
        except (KeyError, TypeError, ValueError) as error:
            raise TargetAnswerError(
                f"{self.address} answers with something that is no log.", "Is this the right address?"
            ) from error
