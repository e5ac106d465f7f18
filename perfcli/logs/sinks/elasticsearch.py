"""Elasticsearch and OpenSearch over plain HTTP: `_bulk` with ids of our own, so that a retry never stores twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import httpx
import orjson

from perfcli.logs.batch import Batch, Receipt, Rejection, StoreDownError, StoreRefusedError
from perfcli.logs.entry import Record
from perfcli.logs.sinks.index_template import index_template
from perfcli.secrets import mask_url

_logger = logging.getLogger("perfcli.logs")
_FILTER = "errors,items.*.status,items.*.error.type"
# A full queue, a shard that moves. Any other error of one document may be that of each attempt, and block all others.
_PASSING = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
_NDJSON = {"content-type": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content: bytes


class ElasticsearchSink:
    """Creates one document per record in the index of the record's own day."""

    name = "elasticsearch"
    durable = True

    def __init__(
        self, url: str, index: str, timeout_s: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect nothing yet.

        Args:
            url: Address of the server, with user and password where it asks for them.
            index: Prefix of the daily indices, and name of their template.
            timeout_s: Limit for one request and its answer.
            clock: Seconds, monotonic.
        """
        self.address = f"{mask_url(url)} {index}"
        self._url = url
        self._index = index
        self._timeout_s = timeout_s
        self._clock = clock
        self._has_template = False
        self._client = self._connect()

    def deliver(self, batch: Batch) -> Receipt:
        """Send one `_bulk`, or several when the server finds it too long; look at the result of every record."""
        if not self._has_template:
            self._install_template()
            self._has_template = True
        return self._send(batch.records)

    def forked(self) -> None:
        """Connect anew; the sockets of the parent are not touched."""
        self._client = self._connect()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _connect(self) -> httpx.Client:
        return httpx.Client(base_url=self._url, timeout=self._timeout_s)

    def _send(self, records: Sequence[Record]) -> Receipt:
        body = b"".join(self._action(record) + record.line for record in records)
        answer = self._request("POST", f"/_bulk?filter_path={_FILTER}", body, _NDJSON)
        if answer.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            if len(records) == 1:
                return Receipt(rejected=(Rejection(records[0], "request_entity_too_large"),))
            middle = len(records) // 2
            halves = [self._send(records[:middle]), self._send(records[middle:])]
            return Receipt(
                again=tuple(record for half in halves for record in half.again),
                rejected=tuple(rejection for half in halves for rejection in half.rejected),
            )
        self._check(answer)
        return self._receipt(records, answer.content)

    def _action(self, record: Record) -> bytes:
        # The day of the record, not of the delivery: the id is unique within one index only.
        day = record.timestamp[:10].replace("-", ".")
        return f'{{"create":{{"_index":"{self._index}-{day}","_id":"{record.id}"}}}}\n'.encode()

    def _receipt(self, records: Sequence[Record], content: bytes) -> Receipt:
        try:
            results = [cast(dict[str, object], item["create"]) for item in orjson.loads(content)["items"]]
            statuses = [cast(int, result["status"]) for result in results]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreDownError("its answer is cut off") from error
        if len(statuses) != len(records):
            raise StoreDownError("its answer is not complete")
        again, rejected = [], []
        for record, status, result in zip(records, statuses, results, strict=True):
            # 409: the document is there, from an attempt whose answer was lost.
            if status in {200, 201, 409}:
                continue
            if status in {401, 403}:
                raise StoreRefusedError(f"{self.address} answers {status} for a document")
            if status in _PASSING:
                again.append(record)
            else:
                rejected.append(Rejection(record, _error_type(result)))
        return Receipt(tuple(again), tuple(rejected))

    def _install_template(self) -> None:
        """Put the template there unless one of this name exists: somebody may have changed it on purpose."""
        path = f"/_index_template/{self._index}"
        answer = self._request("PUT", f"{path}?create=true", orjson.dumps(index_template(self._index)))
        if answer.status == httpx.codes.BAD_REQUEST and self._request("GET", path).status == httpx.codes.OK:
            return
        if answer.status in {400, 403}:
            _logger.warning(
                "%s does not let us install the index template (%d): fields get the types it guesses.",
                self.address,
                answer.status,
            )
            return
        self._check(answer)

    def _check(self, answer: _Answer) -> None:
        if answer.status == httpx.codes.OK:
            return
        text = f"{self.address} answers {answer.status}"
        if answer.status in {408, 429} or answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise StoreDownError(text)
        raise StoreRefusedError(text)

    def _request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> _Answer:
        headers = headers or {"content-type": "application/json"}
        deadline = self._clock() + self._timeout_s
        try:
            with self._client.stream(method, path, content=body, headers=headers) as response:
                chunks = []
                # The time-out of httpx is for each read; a server that drips would hold up the other sinks for ever.
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    if self._clock() > deadline:
                        raise StoreDownError(f"{self.address} answers too slowly")
                return _Answer(response.status_code, b"".join(chunks))
        except (httpx.HTTPError, OSError) as error:
            raise StoreDownError(f"{self.address}: {str(error) or type(error).__name__}") from error


def _error_type(result: dict[str, object]) -> str:
    error = result.get("error")
    return str(error["type"]) if isinstance(error, dict) and "type" in error else f"status {result['status']}"
