"""A time limit of the service, which hits the monitor: the service gets it, and the monitor is as it was."""

import linecache
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

import pytest

from perfcli import monitor as package
from perfcli.monitor import PerformanceMonitor
from perfcli.monitor.interruptions import is_of_others

FOLDER = package.__path__[0]


def predict() -> int:
    return sum(range(10))


def tracer(after: int, error: type[BaseException]) -> Callable[[FrameType, str, object], object]:
    """Return a trace function that raises after so many lines of the monitor."""
    left = after

    def trace(frame: FrameType, event: str, _argument: object) -> object:
        nonlocal left
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        # Nothing is done in a line with `try`, and so nothing can hit it.
        if event == "line" and linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() != "try:":
            left -= 1
            if left < 0:
                raise error
        return trace

    return trace


@pytest.mark.parametrize("error", [TimeoutError, KeyboardInterrupt])
@pytest.mark.parametrize("sample_rate", [0.0, 1.0])
def test_wherever_it_hits_it_goes_on_and_nothing_is_left_behind(sample_rate: float, error: type[BaseException]) -> None:
    monitor = PerformanceMonitor(lambda measurement: None, enabled=True, sample_rate=sample_rate)
    interrupted = 0
    while True:
        before = sys.gettrace()
        sys.settrace(tracer(interrupted, error))
        try:
            with monitor.profile():
                predict()
        except error:
            interrupted += 1
        else:
            break
        finally:
            sys.settrace(before)
        with monitor.profile():
            predict()
        metrics = monitor.get_metrics()
        assert metrics is not None
        assert metrics["in_flight"] == 1, f"interrupted after {interrupted - 1} lines"
        assert metrics["profiled"] is (sample_rate == 1), f"interrupted after {interrupted - 1} lines: {metrics}"
    assert interrupted > 30


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="no timers on this system")
def test_no_time_limit_of_a_signal_is_lost() -> None:
    script = """
import random, signal
from perfcli.monitor import PerformanceMonitor

monitor = PerformanceMonitor(lambda measurement: None, enabled=True)
raised = arrived = 0

def give_up(*_arguments):
    global raised
    raised += 1
    raise TimeoutError

def predict_for_ever(turn):
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0002, 0.001))
    while raised == turn:
        with monitor.profile():
            pass

signal.signal(signal.SIGALRM, give_up)
for turn in range(500):
    try:
        predict_for_ever(turn)
    except TimeoutError:
        arrived += 1
print(raised - arrived)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "0\n"


def test_an_error_of_the_monitor_is_its_own() -> None:
    def raised(by: Callable[[], object]) -> BaseException:
        try:
            # As it comes out of a module of the monitor.
            exec(compile("by()", "block.py", "exec"), {"__name__": "perfcli.monitor.block", "by": by})
        except BaseException as error:
            return error
        raise AssertionError

    class JobTimeoutError(Exception):
        """As a thread is given by another one, in the middle of anything."""

    def handler() -> None:
        raise ValueError

    def by_the_standard_library() -> object:
        return subprocess.run(["/nowhere/at/all"], check=True)

    assert not is_of_others(raised({}.popitem))
    assert not is_of_others(raised(by_the_standard_library))
    assert is_of_others(raised(handler))
    assert is_of_others(JobTimeoutError())
    assert is_of_others(KeyboardInterrupt())
