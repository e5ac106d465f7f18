"""A load run while it goes on: a screen that redraws itself on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live

from perfcli.records.load import LoadSecond
from perfcli.reporters.load_screen import FIGURES, LoadScreen
from perfcli.units import format_duration

PLAIN_INTERVAL_S = 5.0


@contextmanager
def show_load_progress(stream: TextIO, heading: str, waiting: str = "") -> Iterator[Callable[[LoadSecond], None]]:
    """Yield what a load run tells its seconds to; nothing is left on a terminal at the end of the block.

    Args:
        stream: Where to.
        heading: What is loaded, and how.
        waiting: What is waited for before the first second; empty for nothing.
    """
    console = Console(file=stream, markup=False, highlight=False)
    if not stream.isatty() or console.is_dumb_terminal:
        if waiting:
            stream.write(f"{waiting}\n")
            stream.flush()
        yield _PlainLines(stream).tell
        return
    screen = LoadScreen(heading, stream.encoding, waiting)
    # On a screen of its own nothing is left of what a resized terminal has folded: each second is drawn from its top.
    with Live(screen, console=console, screen=True, auto_refresh=False) as live:

        def tell(second: LoadSecond) -> None:
            screen.add(second)
            live.refresh()

        yield tell


def describe_second(second: LoadSecond) -> str:
    """Say in one line how a run is going."""
    parts = [format_duration(second.start_s + second.elapsed_s)]
    for name, read, show in FIGURES:
        value = read(second)
        if value is not None:
            parts.append(f"{name} {show(value)}")
    parts += [f"{kind} {count}" for kind, count in second.failure_kinds.items()]
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
