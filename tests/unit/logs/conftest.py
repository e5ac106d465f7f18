"""A store that fails on request, a clock that stands still, and lanes between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from perfcli.logs.backoff import Backoff
from perfcli.logs.batch import Batch, BatchIds, Receipt
from perfcli.logs.dead_letters import DeadLetters
from perfcli.logs.entry import Record
from perfcli.logs.lane import Lane, LaneStorage
from perfcli.logs.spool import Spool


class FakeStore:
    """Answers what the test has put into `answers`, and takes everything once they are used up."""

    name = "fake"
    address = "fake"

    def __init__(self) -> None:
        self.durable = True
        self.answers: list[Receipt | Exception] = []
        self.batches: list[Batch] = []

    def deliver(self, batch: Batch) -> Receipt:
        self.batches.append(batch)
        answer = self.answers.pop(0) if self.answers else Receipt()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forked(self) -> None:
        pass

    def close(self) -> None:
        pass


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records() -> Callable[..., list[Record]]:
    """Make the records `first` to `last`, each with a line of 100 bytes."""

    def make(first: int, last: int) -> list[Record]:
        made = []
        for number in range(first, last + 1):
            timestamp = f"2026-11-22T10:00:00.{number:06d}Z"
            start = f'{{"timestamp":"{timestamp}","event.id":"r{number}","message":"'
            line = start + "x" * (100 - len(start) - 3) + '"}\n'
            made.append(Record(f"r{number}", timestamp, line.encode()))
        return made

    return make


@pytest.fixture
def new_spool(tmp_path: Path) -> Callable[..., Spool]:
    """Open the spool of one more process; all of them share a folder."""
    moment = iter(range(1, 1_000_000))

    def make(writer: str = "a", max_bytes: int = 10**6) -> Spool:
        return Spool(tmp_path / "store", BatchIds(writer), max_bytes, lambda: next(moment))

    return make


@pytest.fixture
def new_lane(store: FakeStore, clock: Clock, new_spool: Callable[..., Spool], tmp_path: Path) -> Callable[..., Lane]:
    """Make a lane to the fake store whose back-off is 1 s, 2 s, 4 s..."""

    def make(*, spool: Spool | str | None = "new", capacity: int = 100_000) -> Lane:
        spool = new_spool() if isinstance(spool, str) else spool
        storage = None if spool is None else LaneStorage(spool, DeadLetters(tmp_path / "rejected.jsonl"))
        backoff = Backoff(lambda: 1.0, first_s=1.0, longest_s=60.0)
        return Lane(store, BatchIds("lane"), backoff, clock, capacity, storage)

    return make


@pytest.fixture
def ids_of() -> Callable[[Sequence[Batch]], list[list[str]]]:
    """Return the record ids of batches."""
    return lambda batches: [[record.id for record in batch.records] for batch in batches]
