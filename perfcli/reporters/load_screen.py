"""What a terminal of any size shows of a load run that goes on; composed anew each second."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from perfcli.records.latency_counts import add_latencies
from perfcli.records.load import LoadSecond
from perfcli.reporters.histogram import histogram_rows
from perfcli.reporters.plain_text import encodable
from perfcli.reporters.second_groups import SHORT_S
from perfcli.reporters.sparkline import sparkline
from perfcli.units import format_duration, format_rate, format_ratio, format_size

HISTORY = 60
"""Seconds that the lines of figures show."""
NOT_MEASURED = "-"
NAME_WIDTH = 15
VALUE_WIDTH = 10
HISTOGRAM_WIDTH = 48
"""Of the left one of the two columns below the figures, at most three fifths of the screen."""
LEAST_HISTOGRAM = 3
MOST_HISTOGRAM = 12


def _count(value: float) -> str:
    return f"{value:.0f}"


FIGURES: Sequence[tuple[str, Callable[[LoadSecond], float | None], Callable[[float], str]]] = (
    ("throughput", lambda second: second.requests / second.elapsed_s, format_rate),
    ("p50", lambda second: second.latency.p50_s, format_duration),
    ("p90", lambda second: second.latency.p90_s, format_duration),
    ("p95", lambda second: second.latency.p95_s, format_duration),
    ("p99", lambda second: second.latency.p99_s, format_duration),
    ("failures", lambda second: second.failures, _count),
    ("arrivals due", lambda second: second.scheduled, _count),
    ("users", lambda second: second.users, _count),
    ("in flight", lambda second: second.in_flight, _count),
    ("lateness p99", lambda second: second.lag_p99_s, format_duration),
    ("server CPU", lambda second: second.server_cpu_ratio, format_ratio),
    ("server RSS", lambda second: second.server_rss_bytes, format_size),
    ("generator CPU", lambda second: second.generator_cpu_ratio, format_ratio),
    ("generator RSS", lambda second: second.generator_rss_bytes, format_size),
)
"""Name of each figure of a second, how it is read and how written."""


class LoadScreen:
    """Figures of the last minute as lines, its latencies as a histogram, and the failures of the run by class."""

    def __init__(self, heading: str, encoding: str | None) -> None:
        self._heading = heading
        self._encoding = encoding
        self._seconds: deque[LoadSecond] = deque(maxlen=HISTORY)
        self._failures: Counter[str] = Counter()

    def add(self, second: LoadSecond) -> None:
        """Take the second that follows; a last one that is cut short is no point of a line: its rates would jump."""
        if second.elapsed_s >= SHORT_S or not self._seconds:
            self._seconds.append(second)
        self._failures.update(second.failure_kinds)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines(options.max_width, options.height or console.height):
            yield Text.assemble(
                *((encodable(words, self._encoding), style) for words, style in line), no_wrap=True, overflow="crop"
            )

    def lines(self, width: int, height: int) -> Iterator[list[tuple[str, str]]]:
        """Yield the lines of a screen of this size, each as words with their style; none when there is no room."""
        elapsed = "starting"
        if self._seconds:
            last = self._seconds[-1]
            elapsed = format_duration(last.start_s + last.elapsed_s)
        yield [(self._heading[: max(0, width - len(elapsed) - 2)], "bold"), (f"  {elapsed}", "bold cyan")]
        yield [("", "")]
        figures = list(self._figures(width))
        yield from figures
        rows = min(MOST_HISTOGRAM, height - len(figures) - 5)
        if rows >= LEAST_HISTOGRAM and self._seconds:
            yield [("", "")]
            yield from self._columns(width, rows)

    def _figures(self, width: int) -> Iterator[list[tuple[str, str]]]:
        for name, read, show in FIGURES:
            values = [read(second) for second in self._seconds]
            if any(value is not None for value in values):
                newest = NOT_MEASURED if values[-1] is None else show(values[-1])
                course = sparkline(values, max(1, min(HISTORY, width - NAME_WIDTH - VALUE_WIDTH - 4)))
                style = "red" if name == "failures" and any(values) else "cyan"
                yield [(f"{name:<{NAME_WIDTH}}", style), (f"{newest:>{VALUE_WIDTH}}", ""), (f"  {course}", "")]

    def _columns(self, width: int, rows: int) -> Iterator[list[tuple[str, str]]]:
        left_width = min(HISTOGRAM_WIDTH, width * 3 // 5)
        left = [
            (f"latency, {self._span()}, logarithmic", "bold"),
            *((line, "") for line in self._histogram(left_width - 2, rows)),
        ]
        colour = "red" if self._failures else ""
        right = [("failures so far", "bold"), *((line, colour) for line in self._kinds(rows))]
        for (words, style), beside in zip_longest(left, right, fillvalue=("", "")):
            yield [(f"{words:<{left_width}}", style), beside]

    def _span(self) -> str:
        seconds = len(self._seconds)
        return "last minute" if seconds == HISTORY else f"last {seconds} s"

    def _histogram(self, width: int, rows: int) -> Iterable[str]:
        counts = add_latencies(each.latency_counts for each in self._seconds if each.latency_counts is not None)
        return [] if counts is None else histogram_rows(counts, width, rows)

    def _kinds(self, most: int) -> list[str]:
        kinds = self._failures.most_common()
        shown = [f"{kind} {count}" for kind, count in kinds[:most]]
        return [*shown, *([f"({len(kinds) - most} more)"] if len(kinds) > most else [])] or ["none"]
