"""Which block and which request the running code belongs to, and which blocks are open in this process.

A ContextVar that is set in a worker thread is not seen outside of it. So the middleware opens a request, a mutable
object, and the blocks inside report to that. A context is also inherited: by tasks, and by threads that copy it. So
a finished block counts only where it was finished, in its own thread and its own task.
"""

from __future__ import annotations

import os
from _thread import get_ident
from contextvars import ContextVar
from time import perf_counter_ns
from typing import TYPE_CHECKING

from perfcli.monitor.coroutines import running_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from perfcli.monitor.block import Block
    from perfcli.monitor.measurement import Measurement
    from perfcli.monitor.performance_monitor import PerformanceMonitor


# A request that makes more predictions does not wait for its end to log them.
MOST_BLOCKS = 1000


class Request:
    """What is measured while one request is answered, and is logged at its end; a context manager.

    Attributes:
        monitor: Takes what is measured.
        transaction_id: Id of the request.
        trace_id: Its W3C trace; None without one.
        begun_ns: `perf_counter_ns` when it began.
        blocks: Those finished so far, nested ones too, in the order they ended.
        logged: What the handlers gave to `log_metrics`.
        is_open: The request is still being answered.
        own_ns: What the monitor has taken for it so far, outside of the blocks.
    """

    def __init__(
        self, monitor: PerformanceMonitor, transaction_id: str | None = None, trace_id: str | None = None
    ) -> None:
        """Begin a request, in the context that makes it."""
        self.begun_ns = perf_counter_ns()
        self.monitor = monitor
        self.blocks: list[Block] = []
        self.logged: list[Measurement] = []
        self.transaction_id = transaction_id
        self.trace_id = trace_id
        self.is_open = True
        self.own_ns = 0
        self._outer = CURRENT_REQUEST.get()
        CURRENT_REQUEST.set(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Log each prediction once, with the latency of the whole request; a request that has ended stays as it is."""
        # Also the second time, which may be in another context: a streamed body is sent by a task of its own.
        if CURRENT_REQUEST.get() is self:
            CURRENT_REQUEST.set(self._outer)
        if not self.is_open:
            return
        self.is_open = False
        ended_ns = perf_counter_ns()
        # A block that ends after this does its own catching up.
        blocks = self.blocks.copy()
        if len(blocks) > 1:
            # A block around the endpoint may outlive the request, as that of a dependency does.
            blocks = [block for block in blocks if not block.nested] or blocks[-1:]
        self._log(self.logged or blocks, ended_ns)
        self.monitor.add_request_cost(self.own_ns + perf_counter_ns() - ended_ns)

    def log_so_far(self) -> None:
        """Log the predictions that have ended, with the latency so far: a stream that goes on for hours makes many."""
        blocks = self.blocks[:-1]
        # What ends meanwhile, in other threads, stays.
        del self.blocks[: len(blocks)]
        for block in blocks:
            block.catch_up()
        logged, self.logged = self.logged, []
        self._log(logged or [block for block in blocks if not block.nested], perf_counter_ns())

    def _log(self, measurements: Sequence[Measurement], now_ns: int) -> None:
        for measurement in measurements:
            measurement.extend_latency(now_ns - self.begun_ns)
            if measurement.claim():
                self.monitor.emit(measurement)


CURRENT_BLOCK: ContextVar[Block | None] = ContextVar("perfcli_block", default=None)
CURRENT_REQUEST: ContextVar[Request | None] = ContextVar("perfcli_request", default=None)


class OpenBlocks(set["Block"]):
    """Every block of this process that has begun and not ended, those left out that are inside another one.

    Attributes:
        latest_ns: `entered_ns` of the last that began, ended or not: who finds another's has not been alone.
    """

    __slots__ = ("latest_ns",)

    def __init__(self) -> None:
        super().__init__()
        self.latest_ns = 0


open_blocks = OpenBlocks()


def _forget_other_threads() -> None:
    # A forked child has the thread that forked, and no other.
    open_blocks.intersection_update({block for block in open_blocks if block.thread == get_ident()})


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


def belongs_here(block: Block) -> bool:
    """Tell whether a finished block was finished by the code that asks; a copied context holds blocks of others."""
    task = running_task()
    ended_in = None if block.task is None else block.task()
    return block.thread == get_ident() and (block.task is None) == (task is None) and ended_in is task
