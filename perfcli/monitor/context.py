"""Which block and which request the running code belongs to, and which blocks are open in this process.

A ContextVar that is set in a worker thread is not seen outside of it. So the middleware opens a request, a mutable
object, and the blocks inside report to that. A context is also inherited: by tasks, and by threads that copy it. So
a finished block counts only where it was finished, in its own thread and its own task.
"""

from __future__ import annotations

import os
from _thread import get_ident
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perfcli.monitor.coroutines import running_task

if TYPE_CHECKING:
    from perfcli.monitor.block import Block
    from perfcli.monitor.measurement import BlockMeasurement, Measurement


@dataclass(slots=True, eq=False)
class Request:
    """What is measured while one request is answered.

    Attributes:
        transaction_id: Id of the request.
        trace_id: Its W3C trace; None without one.
        measurements: Of the blocks finished so far, nested ones too, in the order they ended.
        logged: What the handlers gave to `log_metrics`.
        is_open: The request is still being answered.
    """

    transaction_id: str | None = None
    trace_id: str | None = None
    measurements: list[BlockMeasurement] = field(default_factory=list)
    logged: list[Measurement] = field(default_factory=list)
    is_open: bool = True

    def to_log(self) -> list[Measurement]:
        """Return what a log should hold of the request: each prediction once."""
        return self.logged or [measurement for measurement in self.measurements if not measurement.light.nested]


CURRENT_BLOCK: ContextVar[Block | None] = ContextVar("perfcli_block", default=None)
CURRENT_REQUEST: ContextVar[Request | None] = ContextVar("perfcli_request", default=None)

open_blocks: set[Block] = set()
"""Every block of this process that has begun and not ended."""


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
