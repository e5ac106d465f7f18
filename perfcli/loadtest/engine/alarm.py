"""Wake up at an exact time: gevent's own timers are late by half a millisecond, which is a whole fast prediction."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

import gevent

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_TIMER_ABSTIME = 1
_READ = 1
_SPIN_NS = 1_000_000


class Alarm(Protocol):
    """Calls back in gevent's hub, once for each time set; the callback must not wait."""

    def set(self, at_ns: int) -> None:
        """Ring at this time of `perf_counter_ns`, at once when it has passed; replaces the time set before."""
        ...

    def close(self) -> None:
        """Never ring again."""
        ...


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class TimerfdAlarm:
    """A Linux timerfd watched by the hub; `perf_counter_ns` is CLOCK_MONOTONIC there."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = _Setting()
        self._ring = ring
        self._watcher = gevent.get_hub().loop.io(self._fd, _READ)
        self._watcher.start(self._expired)

    def set(self, at_ns: int) -> None:
        """Ring at this time of `perf_counter_ns`, at once when it has passed; replaces the time set before."""
        value = self._setting.value
        # A time of 0 would switch the timer off.
        value.seconds, value.nanoseconds = divmod(max(at_ns, 1), 1_000_000_000)
        self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(self._setting), None)

    def close(self) -> None:
        """Never ring again."""
        self._watcher.stop()
        self._watcher.close()
        os.close(self._fd)

    def _expired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # Set anew between the event and this call.
        self._ring()


class SpinningAlarm:
    """gevent's timer for most of the time and a short spin for the rest, where there is no timerfd."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at_ns = 0
        self._timer = gevent.get_hub().loop.timer(0.0)

    def set(self, at_ns: int) -> None:
        """Ring at this time of `perf_counter_ns`, at once when it has passed; replaces the time set before."""
        self._at_ns = at_ns
        self._timer.stop()
        self._timer.close()
        delay_ns = at_ns - _SPIN_NS - time.perf_counter_ns()
        self._timer = gevent.get_hub().loop.timer(max(0, delay_ns) / 1e9)
        self._timer.start(self._expired)

    def close(self) -> None:
        """Never ring again."""
        self._timer.stop()
        self._timer.close()

    def _expired(self) -> None:
        while time.perf_counter_ns() < self._at_ns:
            pass
        self._ring()


def make_alarm(ring: Callable[[], None]) -> Alarm:
    """Make the best alarm this system has."""
    return TimerfdAlarm(ring) if sys.platform == "linux" else SpinningAlarm(ring)
