"""The daily indices that the Elasticsearch sink fills."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast

import httpx
import orjson

from perfcli.errors import TargetAnswerError
from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery, RecordPage
from perfcli.logs.sinks.index_template import daily_indices
from perfcli.logs.sources.http import get_json
from perfcli.logs.sources.protocol import Before, ignore, poll
from perfcli.secrets import mask_url

# What a server returns at once unless it is configured otherwise.
_PAGE_RECORDS = 10_000


class ElasticsearchSource:
    """Lets the server select and sort."""

    def __init__(self, url: str, index: str, timeout_s: float = 30.0, page_records: int = _PAGE_RECORDS) -> None:
        self.address = mask_url(url)
        self.broken = self.unread = 0
        self._page_records = page_records
        self._index = index
        self._client = httpx.Client(base_url=url, timeout=timeout_s)

    def read(self, query: LogQuery) -> list[Record]:
        """Return the records asked for, the newest first."""
        # The server sorts by millisecond.
        return query.newest(self.scan(query))

    def scan(self, query: LogQuery) -> Iterator[Record]:
        """Yield the newest first, to the millisecond."""
        self.broken = 0
        return self._records(self._newest(_search(query), query.limit))

    def page(self, query: LogQuery, offset: int) -> RecordPage:
        """Return one page of the records asked for, and let the server count the others."""
        search = _search(query)
        total = self._ask("_count", {"query": search["query"]}, "count")
        if not isinstance(total, int):
            raise self._no_search_result()
        # Step by step, because a server limits how deep its `from` reaches.
        passed = deque(self._newest({**search, "_source": False}, min(offset, total)), maxlen=1)
        if passed:
            search["search_after"] = passed[0]["sort"]
        return RecordPage(query.newest(self._records(self._newest(search, query.limit))), total)

    def follow(self, query: LogQuery, wait: Callable[[], object], before: Before = ignore) -> Iterator[Record]:
        """Ask for new records."""
        return poll(self.read, query, wait, before)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _newest(self, search: Mapping[str, object], limit: int | None) -> Iterator[dict[str, object]]:
        """Yield hits in the order of the search, as many as there are up to the limit, page by page."""
        after: dict[str, object] = {}
        missing = limit
        while missing is None or missing > 0:
            size = self._page_records if missing is None else min(self._page_records, missing)
            body = {**search, **after, "size": size}
            hits = self._ask("_search", body, "hits", "hits")
            if not isinstance(hits, list) or not all(isinstance(hit, dict) and "sort" in hit for hit in hits):
                raise self._no_search_result()
            yield from hits
            if len(hits) < size:
                return
            after = {"search_after": hits[-1]["sort"]}
            missing = None if missing is None else missing - size

    def _ask(self, what: str, body: Mapping[str, object], *path: str) -> object:
        request = self._client.build_request("POST", f"/{daily_indices(self._index)}/{what}", json=body)
        answer: object = get_json(self._client, request, self.address)
        try:
            for key in path:
                answer = cast(dict[str, object], answer)[key]
        except (KeyError, TypeError) as error:
            raise self._no_search_result() from error
        return answer

    def _no_search_result(self) -> TargetAnswerError:
        return TargetAnswerError(
            f"{self.address} answers with something that is no search result.", "Is this the right address?"
        )

    def _records(self, hits: Iterable[Mapping[str, object]]) -> Iterator[Record]:
        """Pass over the documents of others that the name of the index matches."""
        for hit in hits:
            try:
                yield Record.from_line(orjson.dumps(hit.get("_source")) + b"\n")
            except ValueError:
                self.broken += 1


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
