"""The daily indices that the Elasticsearch sink fills."""

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

# What a server returns at once unless it is configured otherwise.
_PAGE_RECORDS = 10_000


class ElasticsearchSource:
    """Lets the server select and sort."""

    def __init__(self, url: str, index: str, timeout_s: float = 30.0, page_records: int = _PAGE_RECORDS) -> None:
        self.address = mask_url(url)
        self.broken = 0
        self._page_records = page_records
        self._index = index
        self._client = httpx.Client(base_url=url, timeout=timeout_s)

    def read(self, query: LogQuery) -> list[Record]:
        """Return the records asked for, the newest first."""
        found: list[Record] = []
        body = _search(query)
        while len(found) < query.limit:
            hits = self._hits({**body, "size": min(self._page_records, query.limit - len(found))})
            if not hits:
                break
            found += [Record.from_line(orjson.dumps(hit["_source"]) + b"\n") for hit in hits]
            body["search_after"] = hits[-1]["sort"]
        # The server sorts by millisecond.
        return query.select(found)

    def follow(self, query: LogQuery, wait: Callable[[], object], before: Before = ignore) -> Iterator[Record]:
        """Ask for new records."""
        return poll(self.read, query, wait, before)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _hits(self, body: dict[str, object]) -> list[dict[str, object]]:
        request = self._client.build_request("POST", f"/{self._index}-*/_search", json=body)
        answer = get_json(self._client, request, self.address)
        try:
            return cast(list[dict[str, object]], cast(dict[str, object], answer["hits"])["hits"])
        except (KeyError, TypeError) as error:
            raise TargetAnswerError(
                f"{self.address} answers with something that is no search result.", "Is this the right address?"
            ) from error


def _search(query: LogQuery) -> dict[str, object]:
    conditions: list[dict[str, object]] = []
    if query.since is not None:
        conditions.append({"range": {"timestamp": {"gte": query.since}}})
    if query.level is not None:
        conditions.append({"terms": {"level": query.accepted_levels()}})
    if query.transaction_id is not None:
        conditions.append({"term": {"transaction_id": query.transaction_id}})
    # The id settles the order of records of one millisecond, which is as fine as the server sorts.
    order = [{"timestamp": "desc"}, {"event.id": "desc"}]
    return {"query": {"bool": {"filter": conditions}}, "sort": order, "track_total_hits": False}
