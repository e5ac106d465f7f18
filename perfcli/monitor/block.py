"""One measured block: `with performance_monitor.profile():`. It owns all it knows, and shares nothing with another."""

from __future__ import annotations

import logging
import sys
import weakref
from _thread import get_ident
from time import perf_counter_ns
from types import CodeType, FrameType, TracebackType

from perfcli.monitor.clocks import Clocks, ResidentMemory, clocks_at_end, clocks_at_start
from perfcli.monitor.context import CURRENT_BLOCK, CURRENT_REQUEST, open_blocks
from perfcli.monitor.coroutines import SuspensionWatch, coroutine_around, running_task
from perfcli.monitor.deep import (
    SEES_BUILTINS,
    DeepProfile,
    NotProfiledError,
    OtherProfilerError,
    slot,
)
from perfcli.monitor.measurement import BlockMeasurement, Light, light_of
from perfcli.monitor.own_cost import MonitorCost
from perfcli.monitor.sampling import Sampler

_LOG = logging.getLogger("perfcli.monitor")
_resident_memory = ResidentMemory()
_warned: set[str] = set()


class Block:
    """A measured block; entered once, left once.

    Nothing that fails in here reaches the code in the block: it is logged once, and the block runs unmeasured.

    Attributes:
        parent: Block around it; None when it is the outermost, or has ended.
        in_flight: Predictions under way when it began, its own included.
        isolated: No other prediction has been under way together with it so far.
        mixed: Another prediction has begun in its thread, as coroutines and greenlets do.
        profile: Its cProfile while it runs; None when it has none.
        is_open: It has begun and not ended.
        thread: Thread it began in; after the end, the one it ended in.
        task: asyncio task it ended in; None outside of a loop.
        latest: What was last measured in it: nested blocks while it is open, itself at the end; None before.
    """

    __slots__ = (
        "_begun",
        "_code",
        "_cost",
        "_monitor_ns",
        "_rate",
        "_reason",
        "_rss_bytes",
        "_sampler",
        "_suspended",
        "_undisturbed",
        "_watch",
        "in_flight",
        "is_open",
        "isolated",
        "latest",
        "mixed",
        "parent",
        "profile",
        "task",
        "thread",
    )

    def __init__(self, sampler: Sampler, cost: MonitorCost, code: CodeType | None = None) -> None:
        """Prepare a block.

        Args:
            sampler: Decides whether it is profiled.
            cost: Is told what that cost.
            code: What the block stands for, when several share the code that enters them.
        """
        self._sampler = sampler
        self._cost = cost
        self._code = code
        self.parent: Block | None = None
        self.in_flight = 1
        self.isolated = True
        self.mixed = False
        self.profile: DeepProfile | None = None
        self._reason: str | None = None
        self._watch: SuspensionWatch | None = None
        self._suspended = False
        self.is_open = False
        self.latest: BlockMeasurement | None = None
        self.task: weakref.ref[object] | None = None

    def __enter__(self) -> Block:
        try:
            self._begin(sys._getframe(1))  # noqa: SLF001  # inspect has nothing cheaper
        except Exception:  # noqa: BLE001  # a monitor must not break what it measures
            warn_once("A prediction could not be measured", exc_info=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._end(kind)
        except Exception:  # noqa: BLE001
            open_blocks.discard(self)
            self.is_open = False
            warn_once("A prediction could not be measured", exc_info=True)

    def _begin(self, frame: FrameType) -> None:
        entered_ns = perf_counter_ns()
        self.thread = get_ident()
        self._code = self._code or frame.f_code
        outer = CURRENT_BLOCK.get()
        if outer is not None and outer.is_open:
            self.parent = outer
            self.in_flight = outer.in_flight
        else:
            open_blocks.add(self)
            # Of two that begin at once, at least one sees the other.
            if len(open_blocks) > 1:
                self._meet_others()
        CURRENT_BLOCK.set(self)
        self._undisturbed = slot.profile is None
        self._rate = self._sampler.rate
        coroutine = coroutine_around(frame)
        if coroutine is not None:
            self._watch = SuspensionWatch()
        if self._sampler.draw():
            self._reserve_profile(coroutine)
        else:
            self._reason = self._sampler.reason
        # Python 3.11 would record the clocks as calls of the prediction; later it does not, but starting takes 15 us.
        if not SEES_BUILTINS:
            self._start_profile()
        self._begun = clocks_at_start()
        self._monitor_ns = self._begun[0] - entered_ns
        self.is_open = True
        if SEES_BUILTINS:
            self._start_profile()

    def _meet_others(self) -> None:
        """Tell the predictions in flight of this one; a nested block is a part of its prediction, not another one."""
        others = [block for block in tuple(open_blocks) if block is not self]
        self.in_flight = len(others) + 1
        self.isolated = not others
        for other in others:
            other.isolated = False
            if other.thread == self.thread:
                other.mixed = True

    def _reserve_profile(self, coroutine: CodeType | None) -> None:
        if self._is_inside_a_profile():
            self._reason = "an enclosing block is being profiled"
            return
        try:
            self.profile = DeepProfile.reserve(coroutine)
        except NotProfiledError as error:
            self._do_without(error)
        else:
            self._rss_bytes = _resident_memory.read_bytes()

    def _start_profile(self) -> None:
        if self.profile is not None:
            try:
                self.profile.start()
            except NotProfiledError as error:
                self._do_without(error)

    def _do_without(self, error: NotProfiledError) -> None:
        self.profile = None
        self._reason = str(error)
        if isinstance(error, OtherProfilerError):
            warn_once("Predictions are measured without cProfile: %s", self._reason)

    def _end(self, kind: type[BaseException] | None) -> None:
        profile = self.profile
        # See _begin: the profile ends before the clocks are read, or after.
        ended = None if SEES_BUILTINS and profile is not None else clocks_at_end()
        if profile is not None:
            self._end_profile(profile)
        ended = ended or clocks_at_end()
        if self._watch is not None:
            self._suspended = self._watch.end()
        if profile is not None and (self.mixed or self._suspended):
            self._reason = profile.spoil()
        open_blocks.discard(self)
        if not self.is_open:
            return
        self.is_open = False
        assert self._code is not None
        light = self._measure(ended, kind)
        # Without a share there is no profile to compare with.
        if self._sampler.share > 0 and kind is None and light.undisturbed and light.cpu_ns is not None:
            self._cost.per_call.observe_plain(self._code, light.cpu_ns)
        self.latest = BlockMeasurement(light, self._code, self._cost, None if self._reason else profile, self._reason)
        self.profile = None
        self._hand_on(self.latest)
        monitor_ns = self._monitor_ns + perf_counter_ns() - ended[0]
        self._cost.add(light.wall_ns, monitor_ns, self._reason)
        if self._sampler.has_budget and kind is None:
            self._sampler.observe(light.wall_ns, profile is not None, monitor_ns)

    def _end_profile(self, profile: DeepProfile) -> None:
        try:
            profile.end()
        except NotProfiledError as error:
            self._reason = str(error)

    def _measure(self, ended: Clocks, kind: type[BaseException] | None) -> Light:
        begun = self._begun
        if self.profile is None:
            rss_bytes, rss_delta_bytes = _resident_memory.recent_bytes(ended[0]), None
        else:
            rss_bytes = _resident_memory.read_bytes()
            rss_delta_bytes = rss_bytes - self._rss_bytes
        root = self if self.parent is None else self._root()
        return light_of(
            (
                ended[0] - begun[0],
                None if self._suspended or get_ident() != self.thread else ended[1] - begun[1],
                ended[2] - begun[2],
                rss_bytes,
                rss_delta_bytes,
                self.in_flight,
                root.isolated,
                root is not self,
                self._undisturbed and self.profile is None and slot.profile is None,
                self._rate,
                None if kind is None else kind.__qualname__,
            )
        )

    def _hand_on(self, measurement: BlockMeasurement) -> None:
        self.thread = get_ident()
        task = None if self._watch is None else running_task()
        self._watch = None
        # A reference proper would close a circle, because the context of the task holds this block.
        self.task = None if task is None else weakref.ref(task)
        outer = self.parent if self.parent is not None and self.parent.is_open else None
        if outer is not None:
            outer.latest = measurement
        # A generator may end its block in another context than it began it in.
        if CURRENT_BLOCK.get() is not (outer or self):
            CURRENT_BLOCK.set(outer or self)
        self.parent = None
        request = CURRENT_REQUEST.get()
        if request is not None:
            measurement.transaction_id = request.transaction_id
            measurement.trace_id = request.trace_id
            request.measurements.append(measurement)

    def _root(self) -> Block:
        block = self
        while block.parent is not None:
            block = block.parent
        return block

    def _is_inside_a_profile(self) -> bool:
        block = self.parent
        while block is not None:
            if block.profile is not None:
                return True
            block = block.parent
        return False


def warn_once(message: str, *arguments: object, exc_info: bool = False) -> None:
    """Log a warning, and the same one never again."""
    if message not in _warned:
        _warned.add(message)
        _LOG.warning(message, *arguments, exc_info=exc_info)
