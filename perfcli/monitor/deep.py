"""cProfile around one prediction at a time, holding nothing but the calls of that prediction.

Calls of C functions are left out: the time of a C function belongs to the Python function that called it. They are
half of all calls, and a quarter of what a profile costs.

Python 3.11 profiles one thread. From 3.12 on cProfile sees the calls of all threads, in one stack, so that functions
of one request end up below those of another. There the callbacks it registered are put behind a gate that
knows the profiled thread.
"""

from __future__ import annotations

import os
import sys
import threading
from _thread import get_ident
from cProfile import Profile
from types import CodeType
from typing import TYPE_CHECKING

from perfcli.monitor.functions import prediction_entries
from perfcli.monitor.gates import shut_out_other_threads

if TYPE_CHECKING:
    from _lsprof import profiler_entry

# Before 3.12 each thread has its own profiler; since then there is one for all.
_IS_PER_THREAD = sys.version_info < (3, 12)

_TAKEN_OVER = "another profiler took over"
_AWAITS = "the block awaits, and other coroutines run in between"


class NotProfiledError(Exception):
    """A prediction cannot be profiled deeply; the text is the reason a record gives."""


class OtherProfilerError(NotProfiledError):
    """Somebody else's profiler is in the way."""


class DeepProfile:
    """One cProfile run. Made by `reserve`, then started and ended once, by the same thread.

    Attributes:
        thread: The one that is profiled.
        is_mixed: Another prediction has begun in its thread, as coroutines and generators do.
    """

    __slots__ = ("_coroutine", "_profiler", "is_mixed", "thread")

    def __init__(self, coroutine: CodeType | None) -> None:
        self.thread = get_ident()
        self.is_mixed = False
        self._coroutine = coroutine
        # Who called whom is not shown, and costs a quarter of the time.
        self._profiler = Profile(subcalls=False, builtins=False)

    @classmethod
    def reserve(cls, coroutine: CodeType | None) -> DeepProfile:
        """Take the one slot of the process, to profile this thread; then `start` and `end` must be called.

        Args:
            coroutine: Code of the coroutine the block is in, which must not be suspended before `end`.

        Raises:
            NotProfiledError: Not now, or not here.
        """
        if _threads_are_greenlets():
            raise NotProfiledError("gevent switches requests inside a thread")
        if coroutine in _suspended_before:
            raise NotProfiledError(_AWAITS)
        profile = cls(coroutine)
        if not slot.lock.acquire(blocking=False):
            raise NotProfiledError("another prediction was being profiled")
        try:
            _refuse_beside_other_profilers()
        except BaseException:
            slot.release()
            raise
        slot.profile = profile
        return profile

    def start(self) -> None:
        """Begin to record the calls of this thread.

        Raises:
            NotProfiledError: Somebody was faster; there is nothing to end then.
        """
        try:
            self._profiler.enable()
        except ValueError:  # Since 3.12 there is one place for all.
            slot.release()
            raise OtherProfilerError("another profiler is active") from None
        if sys.version_info >= (3, 12):
            shut_out_other_threads(self.thread, builtins=False)
            # Away with what other threads did before the gates were closed.
            self._profiler.clear()

    def end(self) -> None:
        """Stop; what was recorded is kept for `read`.

        Raises:
            NotProfiledError: The record is incomplete.
        """
        try:
            active: object = sys.getprofile()
            if _IS_PER_THREAD and active is not self._profiler:
                # Disabling would switch off the profile function of this thread, which is somebody else's.
                _disable_elsewhere(self._profiler)
                raise NotProfiledError(self._lost())
            try:
                self._profiler.disable()
            except ValueError:  # Since 3.12: somebody has freed the place that every profiler uses.
                raise NotProfiledError(_TAKEN_OVER) from None
            if self.thread != get_ident():
                raise NotProfiledError(self._lost())
        finally:
            slot.release()

    def read(self) -> list[profiler_entry]:
        """Return what was called, without the calls of the monitor.

        Raises:
            NotProfiledError: The coroutine was suspended meanwhile: others ran in its thread and are in the record.
        """
        entries = prediction_entries(self._profiler.getstats())
        # A coroutine that is resumed is a call of its code; the call that was under way at the start is none.
        if self._coroutine is not None and any(entry.code is self._coroutine for entry in entries):
            raise NotProfiledError(self.spoil())
        return entries

    def spoil(self) -> str:
        """Return why a profile in whose thread others ran meanwhile is none; its coroutine is not profiled again."""
        if self._coroutine is None:
            return "another prediction ran in the same thread meanwhile"
        _suspended_before.add(self._coroutine)
        return _AWAITS

    def abandon(self) -> None:
        """Switch off what another thread has switched on, if that can be seen from here."""
        if not _IS_PER_THREAD:
            self._profiler.disable()

    def _lost(self) -> str:
        if self.thread == get_ident():
            return _TAKEN_OVER
        if _IS_PER_THREAD:
            _left_behind.add(self._profiler)
        return "the block ended in another thread than it began in"


class _Slot:
    """The one deep profile of this process.

    Attributes:
        lock: Held from before its start until after its end.
        profile: It, while it may be running; None otherwise.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.profile: DeepProfile | None = None

    def release(self) -> None:
        self.profile = None
        self.lock.release()

    def renew_in_child(self) -> None:
        """Free the slot of a thread that does not exist in the forked child."""
        if self.profile is not None:
            if self.profile.thread == get_ident():
                return
            self.profile.abandon()
            self.profile = None
        # Also without a profile: the other thread may just have taken the lock.
        self.lock = threading.Lock()


slot = _Slot()
# Code of coroutines that were suspended inside a block: one wasted profile each.
_suspended_before: set[CodeType] = set()
# Profilers that are still set in a thread which no other thread can reach; it drops them with its next block.
_left_behind: set[object] = set()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=slot.renew_in_child)


def _threads_are_greenlets() -> bool:
    """Tell whether gevent has replaced the threads; that somebody imported it changes nothing yet."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("threading")


def _refuse_beside_other_profilers() -> None:
    """Raise when somebody has a profiler on; to be asked with the slot taken, so that it cannot be one of ours."""
    other = sys.getprofile()
    if any(other is profiler for profiler in _left_behind):
        _left_behind.discard(other)
        sys.setprofile(None)
    elif other is not None:
        raise OtherProfilerError(f"another profiler is active: {type(other).__qualname__}")
    if sys.version_info >= (3, 12):
        name = sys.monitoring.get_tool(sys.monitoring.PROFILER_ID)
        if name is not None:
            raise OtherProfilerError(f"another profiler is active: {name}")


def _disable_elsewhere(profiler: Profile) -> None:
    """Switch a profiler off in a thread that has no other; its deallocation would switch off that of any thread."""
    thread = threading.Thread(target=profiler.disable, daemon=True)
    thread.start()
    thread.join()
