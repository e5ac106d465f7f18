"""The bodies of requests, serialised once before the run and taken in turn or at random."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import cycle, repeat

import orjson

_ENVELOPES = ("instances", "inputs", "dataframe_records")


class Body:
    """One request body.

    Attributes:
        data: JSON.
        rows: Rows in it, which is how many predictions the answer must hold; None when its form does not tell.
        is_payload: The answer is to be predictions; what a scenario sends as bytes of its own may ask for anything.
        requests: The whole request, head and body, by method and path; filled when first sent.
    """

    __slots__ = ("data", "is_payload", "requests", "rows")

    def __init__(self, data: bytes, rows: int | None, *, is_payload: bool = True) -> None:
        self.data = data
        self.rows = rows
        self.is_payload = is_payload
        self.requests: dict[tuple[str, str], bytes] = {}


class Bodies:
    """All payloads of a run, alone or joined into batches."""

    def __init__(self, payloads: Sequence[bytes], order: str, seed: int) -> None:
        self._payloads = [Body(payload, count_rows(orjson.loads(payload))) for payload in payloads]
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


def count_rows(payload: object) -> int | None:
    """Count the rows of a payload; None when its form does not tell.

    A list holds rows, an object of plain values is one, and the envelopes of TensorFlow Serving (`instances`, `inputs`)
    and MLflow (`dataframe_records`, `dataframe_split`) hold a list of them. The `inputs` of the Open Inference Protocol
    are tensors, and an object with other lists in it may be one row or many.
    """
    if isinstance(payload, list):
        return len(payload)
    if not isinstance(payload, dict):
        return None
    split = payload.get("dataframe_split")
    rows = split.get("data") if isinstance(split, dict) else None
    for name in _ENVELOPES:
        rows = payload.get(name, rows)
    if isinstance(rows, list):
        return None if any(isinstance(row, dict) and "datatype" in row for row in rows) else len(rows)
    return None if any(isinstance(value, list | dict) for value in payload.values()) else 1


def _join(bodies: Sequence[Body]) -> Body:
    parts = [body.data[1:-1] if body.data.startswith(b"[") else body.data for body in bodies]
    rows = [body.rows for body in bodies if body.rows is not None]
    return Body(b"[" + b",".join(parts) + b"]", sum(rows) if len(rows) == len(bodies) else None)
