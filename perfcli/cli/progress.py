"""Show on stderr that long work is going on: a live line on a terminal, elsewhere a plain line every five seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TextIO, TypeVar

from perfcli.units import format_count, format_duration

if TYPE_CHECKING:
    from perfcli.profiling import Progress

Step = TypeVar("Step")

PLAIN_INTERVAL_S = 5.0
LIVE_INTERVAL_S = 0.1


@contextmanager
def show_progress(
    describe: Callable[[Step], str], stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Step], None]]:
    """Yield what long work tells each of its steps to, however often; few of them are shown.

    Args:
        describe: Says in one line how far the work is; asked only for what is shown.
        stream: Where to; None for stderr.
        clock: In seconds.
    """
    out = stream or sys.stderr
    live = out.isatty()
    interval_s = LIVE_INTERVAL_S if live else PLAIN_INTERVAL_S
    last_s = clock()

    def tell(step: Step) -> None:
        nonlocal last_s
        if clock() - last_s < interval_s:
            return
        last_s = clock()
        line = describe(step)
        out.write(f"\r\x1b[K{line}" if live else f"{line}\n")
        out.flush()

    try:
        yield tell
    finally:
        if live:
            out.write("\r\x1b[K")
            out.flush()


def show_profile_progress() -> AbstractContextManager[Callable[[Progress], None]]:
    """Yield what a profiling run tells its progress to."""
    return show_progress(describe)


def describe(progress: Progress) -> str:
    """Say in one line how far a run is."""
    median = "" if progress.median_s is None else f", median {format_duration(progress.median_s)}"
    return f"{progress.step}: {format_count(progress.runs, 'run')}{median}, {format_duration(progress.elapsed_s)}"
