"""Which predictions of a log are slow, and in which colour a terminal shows a record."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TextIO

from rich.console import Console

from perfcli.logs.entry import Record
from perfcli.logs.summary import inference_ms, metrics_of
from perfcli.statistics import percentile
from perfcli.units import from_milliseconds

WINDOW = 200
LEAST = 20
"""Of fewer predictions the 95th percentile is their longest."""
USUAL = 0.95

SLOW = "yellow"
FAILED = "red"


class Slowness:
    """Compares each prediction with a limit, or else with the 95th percentile of up to 200 just before it.

    A profiled prediction counts with its corrected time where the record has one.
    """

    def __init__(self, limit_s: float | None = None) -> None:
        self._limit_s = limit_s
        self._before_s: deque[float] = deque(maxlen=WINDOW)

    def remember(self, records: Iterable[Record]) -> None:
        """Take records that are not shown but come before those that are, the oldest first."""
        self._before_s.extend(_duration_s(metrics) for record in records if (metrics := metrics_of(record)) is not None)

    def colour(self, record: Record) -> str | None:
        """Return the colour of the record that follows; None for one that is like the others."""
        metrics = metrics_of(record)
        if metrics is None:
            return None
        limit_s, duration_s = self._limit(), _duration_s(metrics)
        self._before_s.append(duration_s)
        if metrics.get("error") is not None:
            return FAILED
        return SLOW if limit_s is not None and duration_s > limit_s else None

    def _limit(self) -> float | None:
        if self._limit_s is not None or len(self._before_s) < LEAST:
            return self._limit_s
        return percentile(self._before_s, USUAL)


def shows_colours(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal with colours that nobody has asked to leave out."""
    console = Console(file=stream)
    return console.color_system is not None and not console.no_color


def _duration_s(metrics: Mapping[str, object]) -> float:
    return from_milliseconds(inference_ms(metrics))
