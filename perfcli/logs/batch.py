"""What a sink is given and what it answers: the seam between delivery and the stores."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol

from perfcli.logs.entry import Record

# One message to a store. Lua gives up near 8000 arguments, and a batch of 500 is within 10 % of the best speed.
BATCH_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are delivered together.

    Attributes:
        id: `<writer>-<number>`; the same in every retry, also by another process.
        records: In the order they were logged.
    """

    id: str
    records: tuple[Record, ...]


class BatchIds:
    """Numbers the batches of one writing process."""

    def __init__(self, writer_id: str) -> None:
        self._writer_id = writer_id
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """Return an id that was never used."""
        return f"{self._writer_id}-{next(self._numbers)}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record the store will never take.

    Attributes:
        record: The record.
        reason: Kind of error, in the words of the store; never its text, which may quote values.
    """

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch; records that are in neither list are delivered.

    Attributes:
        again: To be sent again later.
        rejected: Never to be sent again.
    """

    again: tuple[Record, ...] = ()
    rejected: tuple[Rejection, ...] = ()


class StoreDownError(Exception):
    """The store did not take the batch, or nobody knows whether it did: send all of it again later."""


class StoreRefusedError(Exception):
    """The store will take nothing from us until somebody changes the configuration, here or there."""


class Sink(Protocol):
    """Takes batches to one store. Used by one thread only.

    Attributes:
        name: Name in the registry.
        address: What tells this store from another of its kind, secrets masked.
        durable: False when a record that could not be delivered now is worth nothing later; such a sink has no spool.
    """

    name: str
    address: str
    durable: bool

    def deliver(self, batch: Batch) -> Receipt:
        """Send one batch within a time limit. The same batch may come again, and must not be stored twice.

        Raises:
            StoreDownError: Retry the whole batch later.
            StoreRefusedError: Retry now and then where the sink is durable; never where it is not.
        """
        ...

    def forked(self) -> None:
        """Forget, in a forked child, the connections that belong to the parent."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...
