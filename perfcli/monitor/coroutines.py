"""What the monitor knows of coroutines: the one a block is in, the task it runs in, and whether it was suspended."""

from __future__ import annotations

import sys
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE
from types import CodeType, FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_SUSPENDABLE = CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE


def coroutine_around(frame: FrameType | None) -> CodeType | None:
    """Return the innermost code from this frame outwards that can be suspended; None when none can."""
    while frame is not None:
        if frame.f_code.co_flags & _SUSPENDABLE:
            return frame.f_code
        frame = frame.f_back
    return None


def running_task() -> object:
    """Return the asyncio task that runs in this thread; None where none does."""
    # current_task() raises outside of a loop, and a raised exception costs more than all the rest.
    if _running_loop() is None:
        return None
    task: object = sys.modules["asyncio"].current_task()
    return task


class SuspensionWatch:
    """Tells whether the running coroutine was suspended since the watch was made.

    A callback is queued before anything that can wake the coroutine up, so it runs before the coroutine goes on;
    and it runs only if the coroutine lets the loop run.
    """

    __slots__ = ("_handle", "_suspended")

    def __init__(self) -> None:
        loop = _running_loop()
        # Loops other than asyncio's have no such queue: what is not known is not claimed.
        self._suspended = loop is None
        self._handle = None if loop is None else loop.call_soon(self._note)

    def end(self) -> bool:
        """Stop to watch, and return whether the coroutine was suspended or might have been."""
        if self._handle is not None:
            self._handle.cancel()
        return self._suspended

    def _note(self) -> None:
        self._suspended = True


def _running_loop() -> AbstractEventLoop | None:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    loop: AbstractEventLoop | None = asyncio._get_running_loop()  # noqa: SLF001  # public: it is in asyncio.__all__
    return loop
