"""A load run while it goes on: a table that redraws itself on a terminal, a plain line every five seconds elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from perfcli.records.load import LoadSecond
from perfcli.reporters.sparkline import sparkline
from perfcli.units import format_duration, format_rate, format_ratio, format_size

if TYPE_CHECKING:
    from rich.table import Table

PLAIN_INTERVAL_S = 5.0
HISTORY = 60
NOT_MEASURED = "-"


@contextmanager
def show_load_progress(stream: TextIO) -> Iterator[Callable[[LoadSecond], None]]:
    """Yield what a load run tells its seconds to; nothing is left on a terminal at the end of the block."""
    if not stream.isatty():
        yield _PlainLines(stream).tell
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, markup=False, highlight=False)
    history: list[LoadSecond] = []
    with Live(console=console, transient=True, auto_refresh=False) as live:

        def tell(second: LoadSecond) -> None:
            history.append(second)
            del history[:-HISTORY]
            live.update(live_table(history), refresh=True)

        yield tell


def live_table(seconds: Sequence[LoadSecond]) -> Table:
    """Draw the last seconds: the name of each figure, its newest value, its course.

    Args:
        seconds: The newest last; at least one.
    """
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    last = seconds[-1]
    table.add_row("elapsed", format_duration(last.start_s + last.elapsed_s), "")
    for name, read, show in _FIGURES:
        values = [read(second) for second in seconds]
        newest = values[-1]
        if any(value is not None for value in values):
            table.add_row(name, NOT_MEASURED if newest is None else show(newest), sparkline(values))
    return table


def describe_second(second: LoadSecond) -> str:
    """Say in one line how a run is going."""
    parts = [format_duration(second.start_s + second.elapsed_s)]
    for name, read, show in _FIGURES:
        value = read(second)
        if value is not None:
            parts.append(f"{name} {show(value)}")
    return ", ".join(parts)


class _PlainLines:
    """For streams that keep what was written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._due_s = PLAIN_INTERVAL_S

    def tell(self, second: LoadSecond) -> None:
        end_s = second.start_s + second.elapsed_s
        # Seconds are a little shorter or longer than one.
        if end_s < self._due_s - 0.5:
            return
        self._due_s += PLAIN_INTERVAL_S
        self._stream.write(f"{describe_second(second)}\n")
        self._stream.flush()


def _count(value: float) -> str:
    return f"{value:.0f}"


_FIGURES: tuple[tuple[str, Callable[[LoadSecond], float | None], Callable[[float], str]], ...] = (
    ("throughput", lambda second: second.requests / second.elapsed_s, format_rate),
    ("p50", lambda second: second.latency.p50_s, format_duration),
    ("p95", lambda second: second.latency.p95_s, format_duration),
    ("p99", lambda second: second.latency.p99_s, format_duration),
    ("failures", lambda second: second.failures, _count),
    ("in flight", lambda second: second.in_flight, _count),
    ("users", lambda second: second.users, _count),
    ("lateness p99", lambda second: second.lag_p99_s, format_duration),
    ("generator CPU", lambda second: second.generator_cpu_ratio, format_ratio),
    ("generator RSS", lambda second: second.generator_rss_bytes, format_size),
    ("server CPU", lambda second: second.server_cpu_ratio, format_ratio),
    ("server RSS", lambda second: second.server_rss_bytes, format_size),
)
