"""cProfile around one prediction at a time, holding nothing but the calls of that prediction.

Calls of C functions are left out: the time of a C function belongs to the Python function that called it. They are
half of all calls, and a quarter of what a profile costs.

Python 3.11 profiles one thread. From 3.12 on cProfile sees the calls of all threads, in one stack, so that functions
of one request end up below those of another, and keeps the profilers of others out; `gates` has the remedy.

Whatever interrupts it, the time limit of a service above all, `end` leaves the process as it was before.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident
from cProfile import Profile
from inspect import CO_GENERATOR
from types import CodeType
from typing import TYPE_CHECKING

from perfcli.monitor.functions import prediction_entries
from perfcli.monitor.gates import PROFILERS_PLACE, leave_place, shut_out_other_threads, switch_off, take_place

if TYPE_CHECKING:
    from _lsprof import profiler_entry

# Before 3.12 each thread has its own profiler; since then there is one for all.
_IS_PER_THREAD = sys.version_info < (3, 12)

_AWAITS = "the block awaits, and other coroutines run in between"
_YIELDS = "the block is in a generator, and others run in between"


class NotProfiledError(Exception):
    """A prediction cannot be profiled deeply; the text is the reason a record gives."""


class OtherProfilerError(NotProfiledError):
    """Somebody else's profiler is in the way."""


class DeepProfile:
    """One cProfile run. Made, reserved, started and ended once, by the same thread.

    Attributes:
        thread: The one that is profiled.
        is_mixed: Another prediction has begun in its thread, as coroutines and generators do.
    """

    __slots__ = ("_place", "_profiler", "_suspendable", "is_mixed", "thread")

    def __init__(self, suspendable: CodeType | None) -> None:
        """Prepare to profile this thread.

        Args:
            suspendable: Code of the coroutine or the generator the block is in, which must not be suspended for others
                before `end`; None if there is none.
        """
        self.thread = get_ident()
        self.is_mixed = False
        self._suspendable = suspendable
        self._profiler: Profile | None = None
        self._place = PROFILERS_PLACE

    def reserve(self) -> None:
        """Take the one slot of the process; `end` gives it back.

        Raises:
            NotProfiledError: Not now, or not here; there is nothing to end then.
        """
        if threads_are_greenlets():
            raise NotProfiledError("gevent switches requests inside a thread")
        if self._suspendable is not None and id(self._suspendable) in _suspended_before:
            raise NotProfiledError(self._reason_to_stop())
        if not slot.take(self):
            raise NotProfiledError("another prediction was being profiled")
        try:
            _refuse_beside_other_profilers()
        except BaseException:
            slot.release(self)
            raise

    def start(self) -> None:
        """Begin to record the calls of this thread.

        Raises:
            NotProfiledError: Somebody was faster; there is nothing to end then.
        """
        place = take_place()
        # Who called whom is not shown, and costs a quarter of the time.
        self._profiler = profiler = Profile(subcalls=False, builtins=False)
        try:
            profiler.enable()
        except ValueError:  # Since 3.12 there is one place for all.
            self._profiler = None
            leave_place()
            slot.release(self)
            raise OtherProfilerError("another profiler is active") from None
        if not _IS_PER_THREAD:
            shut_out_other_threads(self.thread, builtins=False, place=place)
            self._place = place
            # Away with what other threads did before the gates were closed.
            profiler.clear()

    def end(self) -> None:
        """Stop, from wherever it has come to; what was recorded is kept for `read`.

        Raises:
            NotProfiledError: The record is incomplete.
        """
        try:
            is_complete = self._profiler is not None and switch_off(self._profiler, self._place)
            if self.thread != get_ident():
                if _IS_PER_THREAD:
                    _left_behind.add(self._profiler)
                raise NotProfiledError("the block ended in another thread than it began in")
            if not is_complete:
                raise OtherProfilerError("another profiler took over")
        finally:
            leave_place()
            slot.release(self)

    def read(self) -> list[profiler_entry]:
        """Return what was called, without the calls of the monitor."""
        assert self._profiler is not None
        return prediction_entries(self._profiler.getstats())

    def spoil(self) -> str:
        """Return why a profile in whose thread others ran meanwhile is none; its coroutine is not profiled again."""
        if self._suspendable is None:
            return "another prediction ran in the same thread meanwhile"
        _suspended_before[id(self._suspendable)] = self._suspendable
        return self._reason_to_stop()

    def abandon(self) -> None:
        """Switch off what another thread has switched on, if that can be seen from here."""
        if not _IS_PER_THREAD and self._profiler is not None:
            switch_off(self._profiler, self._place)

    def _reason_to_stop(self) -> str:
        assert self._suspendable is not None
        return _YIELDS if self._suspendable.co_flags & CO_GENERATOR else _AWAITS


class _Slot:
    """The one deep profile of this process.

    Attributes:
        profile: It, while it may be running; None otherwise.
    """

    def __init__(self) -> None:
        self.profile: DeepProfile | None = None
        # Not a lock: who is interrupted when it has just taken that cannot know that it has.
        self._taken_by: dict[str, DeepProfile] = {}

    @property
    def is_free(self) -> bool:
        return not self._taken_by

    def take(self, profile: DeepProfile) -> bool:
        """Return whether it is for this profile now."""
        # One step for all threads.
        if self._taken_by.setdefault("slot", profile) is not profile:
            return False
        self.profile = profile
        return True

    def release(self, profile: DeepProfile) -> None:
        """Give it back, if this profile has it."""
        if self._taken_by.get("slot") is profile:
            self.profile = None
            del self._taken_by["slot"]

    def renew_in_child(self) -> None:
        """Free the slot of a thread that does not exist in the forked child."""
        if self.profile is not None:
            if self.profile.thread == get_ident():
                return
            self.profile.abandon()
            self.profile = None
        # Also without a profile: the other thread may just have taken it.
        self._taken_by = {}


slot = _Slot()
# Code of coroutines and generators that were suspended inside a block, by identity: one wasted profile each.
_suspended_before: dict[int, CodeType] = {}
# Profilers that are still set in a thread which no other thread can reach; it drops them with its next block.
_left_behind: set[object] = set()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=slot.renew_in_child)


def threads_are_greenlets() -> bool:
    """Tell whether gevent has replaced the threads; that somebody imported it changes nothing yet."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("threading")


def is_traced() -> bool:
    """Tell whether a debugger or a coverage tool is active in this thread, which makes all calls slower."""
    if sys.gettrace() is not None:
        return True
    if sys.version_info >= (3, 12):
        tools = (sys.monitoring.DEBUGGER_ID, sys.monitoring.COVERAGE_ID)
        return any(sys.monitoring.get_tool(tool) is not None for tool in tools)
    return False


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
