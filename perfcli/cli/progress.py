"""Show on stderr that long work is going on: a live line on a terminal, elsewhere a plain line every five seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from perfcli.units import format_duration

if TYPE_CHECKING:
    from perfcli.profiling import Progress

PLAIN_INTERVAL_S = 5.0
LIVE_INTERVAL_S = 0.1


@contextmanager
def show_profile_progress() -> Iterator[Callable[[Progress], None]]:
    """Yield what a profiling run tells its progress to."""
    live = sys.stderr.isatty()
    interval_s = LIVE_INTERVAL_S if live else PLAIN_INTERVAL_S
    last_s = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal last_s
        if time.monotonic() - last_s < interval_s:
            return
        last_s = time.monotonic()
        line = describe(progress)
        sys.stderr.write(f"\r\x1b[K{line}" if live else f"{line}\n")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        if live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def describe(progress: Progress) -> str:
    """Say in one line how far a run is."""
    median = "" if progress.median_s is None else f", median {format_duration(progress.median_s)}"
    return f"{progress.step}: {progress.runs} runs{median}, {format_duration(progress.elapsed_s)}"
