"""What every reporter is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TextIO

from perfcli.records.codec import Result


@dataclass(frozen=True, slots=True)
class View:
    """How much of a table a reader wants, and in which order.

    Attributes:
        top: Most rows of a table: functions, endpoints, parts that moved.
        sort: `self` or `cumulative`.
        tree: Show the call tree too.
    """

    top: int = 10
    sort: str = "self"
    tree: bool = False


class Reporter(Protocol):
    """Shows one result to a reader."""

    def write(self, result: Result, stream: TextIO) -> None:
        """Write the whole report; the stream is neither closed nor flushed.

        Raises:
            OSError: The stream does not take it.
            DeliveryError: The result does not hold what this reporter shows.
        """
        ...
