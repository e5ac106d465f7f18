"""What is measured in rounds: blocks of calls, unprofiled and under cProfile."""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from perfcli.profiling.call_graph import entries_of

if TYPE_CHECKING:
    from _lsprof import profiler_entry

Call = Callable[[], object]


class Clock(Protocol):
    """Where times come from; `time` itself, or a test's own."""

    def perf_counter_ns(self) -> int:
        """Return the wall time."""
        ...

    def thread_time_ns(self) -> int:
        """Return the CPU time of this thread."""
        ...

    def process_time_ns(self) -> int:
        """Return the CPU time of all threads."""
        ...


@dataclass
class ProfiledCalls:
    """Calls under one cProfile: all of a block, or with several payloads those of one turn in it.

    Attributes:
        walls_s: Their durations; switching the profiler on and off is part of them.
        profiler: What it saw, added up.
        apart: Profilers of single calls instead, where other threads had to be kept out of them.
    """

    walls_s: list[float] = field(default_factory=list)
    profiler: cProfile.Profile = field(default_factory=cProfile.Profile)
    apart: list[cProfile.Profile] = field(default_factory=list)

    @cached_property
    def entries(self) -> list[profiler_entry]:
        """What the profiler saw of the predictions, read once: that takes milliseconds."""
        return [entry for profiler in (self.profiler, *self.apart) for entry in entries_of(profiler)]


@dataclass(slots=True)
class Round:
    """One block of each kind, as far as they got.

    Attributes:
        walls_s: Durations of the counted unprofiled calls.
        thread_s: CPU time of the calling thread over all of these together; None until the block is complete.
        process_s: CPU time of all threads over them; None until the block is complete.
        rss_growth_bytes: Growth of the resident set over them; None until the block is complete.
        profiled: The counted calls under cProfile.
    """

    walls_s: list[float] = field(default_factory=list)
    thread_s: float | None = None
    process_s: float | None = None
    rss_growth_bytes: int | None = None
    profiled: list[ProfiledCalls] = field(default_factory=list)
