"""The memory of this process: cheap enough to be read beside predictions."""

from __future__ import annotations

import math
import os
from typing import TypeAlias

from perfcli.monitor.interruptions import is_of_others

_STATM = "/proc/self/statm"
_LONGEST_STATM_BYTES = 256
# The read itself takes 1 us, but 20 us just after a prediction, which has pushed all it touches out of the caches.
FRESH_NS = 100_000_000


# Wall time, CPU time of the process and CPU time of the thread, in nanoseconds; in this order or the other way round.
Clocks: TypeAlias = tuple[int, int, int]


class ResidentMemory:
    """The resident set of the process that asks, also after a fork.

    On Linux one read of an open `/proc/self/statm`; elsewhere psutil, which takes nine times as long.
    """

    def __init__(self) -> None:
        self._page_bytes = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
        self._statm: int | None = None
        self._known_bytes = 0
        self._known_since_ns = -math.inf
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reopen)

    def recent_bytes(self, now_ns: int) -> int:
        """Return the size of the resident set, as of a tenth of a second before `perf_counter_ns` now at most."""
        if now_ns - self._known_since_ns > FRESH_NS:
            self._known_bytes = self.read_bytes()
            self._known_since_ns = now_ns
        return self._known_bytes

    def read_bytes(self) -> int:
        """Return the size of the resident set now."""
        try:
            if self._statm is None:
                self._statm = os.open(_STATM, os.O_RDONLY | os.O_CLOEXEC)
            return int(os.pread(self._statm, _LONGEST_STATM_BYTES, 0).split()[1]) * self._page_bytes
        except (OSError, ValueError, IndexError, AttributeError) as error:
            if is_of_others(error):
                raise
            # No such file on this system; or a daemon closed all its files and ours is now somebody else's.
            self._statm = None
            return _resident_bytes_elsewhere()

    def _reopen(self) -> None:
        self._known_since_ns = -math.inf
        # An open /proc/self belongs to the process that opened it: in the child it would still tell of the parent.
        if self._statm is not None:
            os.close(self._statm)
            self._statm = None


resident_memory = ResidentMemory()


def _resident_bytes_elsewhere() -> int:
    import psutil

    # A new object each time: a kept one would hold the number of the process before a fork.
    return int(psutil.Process().memory_info().rss)
