"""What watching costs the process that is watched, since its start."""

from __future__ import annotations

import os
import threading
from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING

from perfcli.monitor.call_cost import CallCosts
from perfcli.units import to_milliseconds

if TYPE_CHECKING:
    from perfcli.monitor.measurement import BlockMeasurement

# More come together only where nobody reads what is measured.
_MOST_UNSETTLED = 100
_LONGEST_OWN_NS = 1_000_000


def without_waits(own_ns: int) -> int:
    """Return what the monitor took: a step that took over a millisecond has waited for the interpreter in between."""
    return own_ns if own_ns < _LONGEST_OWN_NS else _LONGEST_OWN_NS  # noqa: FURB136  # five times as fast as min


class MonitorCost:
    """Adds up what the blocks of one monitor did.

    Attributes:
        per_call: What a profiled call costs, block by block.
        unsettled: Finished blocks that wait until somebody has time for them.
    """

    def __init__(self) -> None:
        self.per_call = CallCosts()
        self._begin_anew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        # Reentrant: a signal may interrupt one prediction for another in the same thread.
        self._lock = threading.RLock()
        self.unsettled: deque[BlockMeasurement] = deque()
        self._requests_ns = 0
        self._predictions = 0
        self._predictions_ns = 0
        self._not_profiled: dict[str, int] = {}
        self._monitor_ns = 0
        self._overhead_ns = 0.0

    def settle(self) -> None:
        """Settle the blocks that wait; nobody waits for somebody else who does it already."""
        if self.unsettled and self._lock.acquire(blocking=False):
            try:
                # Until there is none left; a block that ends meanwhile is one more.
                while True:
                    self.unsettled.popleft().settle()
            except IndexError:
                pass
            finally:
                self._lock.release()

    def settle_if_many(self) -> None:
        """Settle the blocks where nobody reads what is measured, and so nobody else does it."""
        if len(self.unsettled) > _MOST_UNSETTLED:
            begun_ns = perf_counter_ns()
            self.settle()
            self._requests_ns += without_waits(perf_counter_ns() - begun_ns)

    def add(self, wall_ns: int, monitor_ns: int, reason: str | None) -> None:
        """Add a finished block, while it is settled.

        Args:
            wall_ns: Its length.
            monitor_ns: What the monitor added before and after it.
            reason: Why it was not profiled; None if it was.
        """
        self._predictions += 1
        self._predictions_ns += wall_ns
        self._monitor_ns += monitor_ns
        if reason is not None:
            self._not_profiled[reason] = self._not_profiled.get(reason, 0) + 1

    def add_request(self, own_ns: int) -> None:
        """Add what the monitor took for a request outside of its blocks."""
        # Without a lock: a request must not wait for who settles, and the worst is a sum that misses one request.
        self._requests_ns += without_waits(own_ns)
        self.settle_if_many()

    def add_refusal(self, reason: str) -> None:
        """Add a prediction that turned out not to be profiled."""
        with self._lock:
            self._not_profiled[reason] = self._not_profiled.get(reason, 0) + 1

    def add_overhead(self, overhead_ns: float) -> None:
        """Add what a profile is estimated to have added to its prediction."""
        with self._lock:
            self._overhead_ns += overhead_ns

    def document(self, sample_rate: float) -> dict[str, object]:
        """Return the sums, JSON-ready; `overhead_ratio` is None before the first prediction."""
        with self._lock:
            self.settle()
            own_ns = self._monitor_ns + self._requests_ns
            added_ns = own_ns + self._overhead_ns
            bare_ns = self._predictions_ns - self._overhead_ns
            return {
                "predictions": self._predictions,
                "profiled": self._predictions - sum(self._not_profiled.values()),
                "not_profiled": dict(self._not_profiled),
                "sample_rate": sample_rate,
                "predictions_ms": to_milliseconds(self._predictions_ns / 1e9),
                "monitor_ms": to_milliseconds(own_ns / 1e9),
                "profiler_overhead_ms": to_milliseconds(self._overhead_ns / 1e9),
                "overhead_ratio": round(added_ns / bare_ns, 6) if bare_ns > 0 else None,
            }
