"""One measured block: `with performance_monitor.profile():`. It owns all it knows, and shares nothing with another."""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from _thread import get_ident
from contextlib import suppress
from inspect import CO_GENERATOR
from time import perf_counter_ns, process_time_ns, thread_time_ns
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING

from perfcli.monitor.clocks import resident_memory
from perfcli.monitor.context import CURRENT_BLOCK, CURRENT_REQUEST, MOST_BLOCKS, open_blocks
from perfcli.monitor.coroutines import SuspensionWatch, coroutine_around, running_task
from perfcli.monitor.deep import (
    DeepProfile,
    NotProfiledError,
    OtherProfilerError,
    is_traced,
    slot,
    threads_are_greenlets,
)
from perfcli.monitor.interruptions import is_of_others
from perfcli.monitor.measurement import BlockMeasurement, level_of
from perfcli.monitor.own_cost import MonitorCost
from perfcli.monitor.sampling import Sampler

if TYPE_CHECKING:
    from perfcli.monitor.context import Request

_logger = logging.getLogger("perfcli.monitor")
_warned: set[str] = set()


class Block(BlockMeasurement):
    """A measured block; entered once, left once, and from then on its own measurement.

    Nothing that fails in here reaches the code in the block: it is logged once, and the block runs unmeasured.

    Attributes:
        entered_ns: `perf_counter_ns` when its prediction began, the outermost block.
        parent: Block around it; None when it is the outermost.
        profile: Its cProfile while it runs; None when it has none.
        is_open: It has begun and not ended.
        thread: Thread it began in; after the end, the one it ended in.
        task: asyncio task it ended in; None outside of a loop.
    """

    parent: Block | None = None
    task: weakref.ref[object] | None = None
    _watch: SuspensionWatch | None = None

    def __init__(
        self, sampler: Sampler, cost: MonitorCost, code: CodeType | None = None, request: Request | None = None
    ) -> None:
        """Prepare a block.

        Args:
            sampler: Decides whether it is profiled.
            cost: Is told what that cost.
            code: What the block stands for, when several share the code that enters them.
            request: The request whose endpoint it is: entered and left by one function, which is no coroutine.
        """
        # All by itself: on the request path a call takes longer than what it does.
        self._sampler = sampler
        self._cost = cost
        self._code = code
        self._request = request
        self._ended_ns = None
        self._rss_bytes = None
        self._times_too_many = 0
        self.profile: DeepProfile | None = None
        self.is_open = False
        self._is_plain = True

    @property
    def has_ended(self) -> bool:
        """Whether there is something to tell."""
        return self._ended_ns is not None and not self.is_open

    def ended_before(self, now_ns: int) -> bool:
        """Tell whether it ended before this moment of `perf_counter_ns`; not to be asked before it has ended."""
        assert self._ended_ns is not None
        return self._ended_ns[2] < now_ns

    def __enter__(self) -> Block:
        if self.is_open or self._ended_ns is not None:
            self._times_too_many += 1
            warn_once("A block that was entered before is not measured again: take a new profile() for each")
            return self
        try:
            self.entered_ns = entered_ns = perf_counter_ns()
            self.thread = get_ident()
            outer = CURRENT_BLOCK.get()
            while outer is not None and not outer.is_open:
                outer = outer.parent
            if outer is not None:
                self._begin_inside(outer)
            else:
                # Join first, then tell the time: of two blocks that begin at once each counts the other here, or finds
                # at its end that it was not the last to begin.
                open_blocks.add(self)
                open_blocks.latest_ns = entered_ns
                self.in_flight = len(open_blocks)
            CURRENT_BLOCK.set(self)
            suspendable = self._look_around(sys._getframe(1)) if self._request is None else None  # noqa: SLF001  # as inspect
            other_profile = slot.profile
            self._undisturbed = other_profile is None
            if other_profile is not None and other_profile.thread == self.thread and not self.nested:
                other_profile.is_mixed = True
            sampler = self._sampler
            self._rate = rate = sampler.rate
            if rate and sampler.random() < rate:
                self._reserve_profile(suspendable)
            else:
                self._reason = sampler.reason
            # To start a profile takes up to 15 us, so it starts before the clocks are read.
            if self.profile is not None:
                self._start_profile(self.profile)
            # The wall clock first and last, so that CPU time lies within it, and that of the thread within the process.
            self._begun_ns = begun_ns = (perf_counter_ns(), process_time_ns(), thread_time_ns())
            self._monitor_ns = begun_ns[0] - entered_ns
            self.is_open = True
            return self  # noqa: TRY300  # up to here it would not be left if it were interrupted
        except BaseException as error:  # noqa: BLE001
            self._give_up(error)
            return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._times_too_many:
                self._times_too_many -= 1
                return
            profile = self.profile
            ended_ns = (thread_time_ns(), process_time_ns(), perf_counter_ns())
            if profile is not None:
                self._end_profile(profile)
            open_blocks.discard(self)
            if not self.is_open:
                return
            self.is_open = False
            self._ended_ns = ended_ns
            self._error = kind
            if kind is not None:
                self.level = level_of(error)
            if slot.profile is not None:
                self._undisturbed = False
            if self.in_flight > 1 or open_blocks.latest_ns != self.entered_ns:
                self.isolated = False
            if not self._is_plain or CURRENT_BLOCK.get() is not self:
                self._leave_others(profile)
            request = self._request or CURRENT_REQUEST.get()
            if request is not None:
                # The request refers to the block from now on; both ways would be a reference cycle.
                self._request = None
                self.transaction_id, self.trace_id = request.transaction_id, request.trace_id
                if request.is_open:
                    request.blocks.append(self)
                    if len(request.blocks) > MOST_BLOCKS:
                        request.log_so_far()
            self._monitor_ns += perf_counter_ns() - ended_ns[2]
            self._cost.unsettled.append(self)
            if request is None or not request.is_open:
                self.catch_up()
        except BaseException as error:  # noqa: BLE001
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        """Leave nothing behind, wherever it was interrupted; a monitor must not break what it measures."""
        open_blocks.discard(self)
        self.is_open = False
        profile, self.profile = self.profile, None
        if profile is not None:
            with suppress(Exception):
                profile.end()
        if is_of_others(error):
            raise error
        warn_once("A prediction could not be measured", exc_info=True)

    def _begin_inside(self, outer: Block) -> None:
        self.parent = outer
        self.entered_ns = outer.entered_ns
        self.in_flight = outer.in_flight
        self.nested = True
        self._is_plain = outer._is_plain = False

    def _look_around(self, frame: FrameType) -> CodeType | None:
        self._is_plain = False
        self._code = self._code or frame.f_code
        coroutine = coroutine_around(frame)
        if coroutine is not None:
            self._watch = SuspensionWatch()
        elif frame.f_code.co_flags & CO_GENERATOR:
            return frame.f_code
        return coroutine

    def _reserve_profile(self, suspendable: CodeType | None) -> None:
        if self._is_inside_a_profile():
            self._reason = "an enclosing block is being profiled"
            return
        self.profile = DeepProfile(suspendable)
        try:
            self.profile.reserve()
        except NotProfiledError as error:
            self._do_without(error)
            return
        self._is_plain = self._undisturbed = False
        self._lock = threading.Lock()
        self._rss_begun_bytes = resident_memory.read_bytes()
        if is_traced():
            warn_once("A debugger or a coverage tool is active: durations are with what it adds")

    def _start_profile(self, profile: DeepProfile) -> None:
        try:
            profile.start()
        except NotProfiledError as error:
            self._do_without(error)

    def _do_without(self, error: NotProfiledError) -> None:
        self.profile = self._lock = self._rss_begun_bytes = None
        self._reason = str(error)
        _say_once(error)

    def _end_profile(self, profile: DeepProfile) -> None:
        try:
            profile.end()
        except NotProfiledError as error:
            self._reason = str(error)
            _say_once(error)
        self.profile = None

    def _leave_others(self, profile: DeepProfile | None) -> None:
        """Leave the thread, the task and the blocks around it."""
        # Its context is another one where a generator or a coroutine was left, and entered again by somebody else.
        was_suspended = not self._is_around(CURRENT_BLOCK.get())
        if self._watch is not None:
            was_suspended = self._watch.end() or was_suspended
            # A strong one would be a reference cycle, because the context of the task holds this block.
            task = running_task()
            self.task = None if task is None else weakref.ref(task)
            self._watch = None
        begun_in, self.thread = self.thread, get_ident()
        self._owns_thread_time = not was_suspended and begun_in == self.thread and not threads_are_greenlets()
        if profile is not None:
            self._keep_profile(profile, was_suspended)
        # What was measured last here; the next block finds its way from here to the open one around it.
        if CURRENT_BLOCK.get() is not self:
            CURRENT_BLOCK.set(self)

    def _is_around(self, block: Block | None) -> bool:
        while block is not None and block is not self:
            block = block.parent
        return block is self

    def _keep_profile(self, profile: DeepProfile, was_suspended: bool) -> None:
        if profile.is_mixed or was_suspended:
            others = profile.spoil()
            self._reason = self._reason or others
        self._rss_bytes = resident_memory.read_bytes()
        self._profile = None if self._reason else profile
        if self._reason:
            self._rss_begun_bytes = None

    def _is_inside_a_profile(self) -> bool:
        block = self.parent
        while block is not None:
            if block.profile is not None:
                return True
            block = block.parent
        return False


def _say_once(error: NotProfiledError) -> None:
    if isinstance(error, OtherProfilerError):
        warn_once("Predictions are measured without cProfile: %s", error)


def warn_once(message: str, *arguments: object, exc_info: bool = False) -> None:
    """Log a warning, and the same one never again."""
    if message not in _warned:
        _warned.add(message)
        _logger.warning(message, *arguments, exc_info=exc_info)
