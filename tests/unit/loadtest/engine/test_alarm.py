"""Alarms ring once for each time set, and never too early."""

import time

import gevent
import pytest
from gevent.event import Event

from perfcli.loadtest.engine.alarm import SpinningAlarm, TimerfdAlarm

ALARMS = [SpinningAlarm, pytest.param(TimerfdAlarm, marks=pytest.mark.skipif("sys.platform != 'linux'"))]


class Bell:
    """Notes when it rang."""

    def __init__(self) -> None:
        self.rang_ns: list[int] = []
        self.event = Event()

    def ring(self) -> None:
        self.rang_ns.append(time.perf_counter_ns())
        self.event.set()


@pytest.mark.parametrize("make", ALARMS)
def test_it_rings_once_and_not_before_its_time(make) -> None:
    bell = Bell()
    alarm = make(bell.ring)
    at_ns = time.perf_counter_ns() + 5_000_000
    alarm.set(at_ns)
    assert bell.event.wait(5)
    gevent.sleep(0.02)
    alarm.close()
    assert len(bell.rang_ns) == 1
    assert bell.rang_ns[0] >= at_ns


@pytest.mark.parametrize("make", ALARMS)
def test_a_time_that_has_passed_rings_at_once(make) -> None:
    bell = Bell()
    alarm = make(bell.ring)
    alarm.set(time.perf_counter_ns() - 1_000_000_000)
    assert bell.event.wait(5)
    alarm.close()


@pytest.mark.parametrize("make", ALARMS)
def test_the_latest_time_set_is_the_one_that_counts(make) -> None:
    bell = Bell()
    alarm = make(bell.ring)
    alarm.set(time.perf_counter_ns() + 3_600_000_000_000)
    at_ns = time.perf_counter_ns() + 3_000_000
    alarm.set(at_ns)
    assert bell.event.wait(5)
    alarm.close()
    assert bell.rang_ns[0] >= at_ns


@pytest.mark.parametrize("make", ALARMS)
def test_a_closed_alarm_is_silent(make) -> None:
    bell = Bell()
    alarm = make(bell.ring)
    alarm.set(time.perf_counter_ns() + 2_000_000)
    alarm.close()
    gevent.sleep(0.02)
    assert bell.rang_ns == []
