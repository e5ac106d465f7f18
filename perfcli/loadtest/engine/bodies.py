"""The bodies of requests, serialised once before the run and taken in turn or at random."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import cycle, repeat

import orjson


class Body:
    """One request body.

    Attributes:
        data: JSON.
        rows: Rows in it, which is how many predictions the answer must hold.
        requests: The whole request, head and body, by method and path; filled when first sent.
    """

    __slots__ = ("data", "requests", "rows")

    def __init__(self, data: bytes, rows: int) -> None:
        self.data = data
        self.rows = rows
        self.requests: dict[tuple[str, str], bytes] = {}


class Bodies:
    """All payloads of a run, alone or joined into batches."""

    def __init__(self, payloads: Sequence[bytes], order: str, seed: int) -> None:
        self._payloads = [Body(payload, _rows(payload)) for payload in payloads]
        self._random = random.Random(seed) if order == "random" else None
        self._sources: dict[int | None, Iterator[Body]] = {}

    def next(self, batch_size: int | None) -> Body:
        """Return the next body: one payload, or `batch_size` of them joined into a list."""
        source = self._sources.get(batch_size)
        if source is None:
            source = self._sources[batch_size] = self._source(batch_size)
        return next(source)

    def _source(self, batch_size: int | None) -> Iterator[Body]:
        bodies = self._payloads if batch_size is None else self._batches(batch_size)
        if self._random is None:
            return cycle(bodies)
        return map(self._random.choice, repeat(bodies))

    def _batches(self, size: int) -> list[Body]:
        """Join payloads, going round until each was used."""
        endless = cycle(self._payloads)
        number = -(-len(self._payloads) // size)
        return [_join([next(endless) for _ in range(size)]) for _ in range(number)]


def _rows(payload: bytes) -> int:
    document = orjson.loads(payload)
    return len(document) if isinstance(document, list) else 1


def _join(bodies: Sequence[Body]) -> Body:
    parts = [body.data[1:-1] if body.data.startswith(b"[") else body.data for body in bodies]
    return Body(b"[" + b",".join(parts) + b"]", sum(body.rows for body in bodies))
