"""Somebody else's profiler: served all the same, said once, and left as it was."""

import cProfile
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from perfcli.monitor import Measurement, PerformanceMonitor

ONE_PER_THREAD = sys.version_info < (3, 12)


def leaf() -> int:
    return 1


def reason_of(monitor: PerformanceMonitor) -> object:
    metrics = monitor.get_metrics()
    assert metrics is not None
    assert metrics["profiled"] is (metrics["reason"] is None)
    assert isinstance(metrics["inference_time_ms"], float)
    return metrics["reason"]


def calls_of_leaf(profile: cProfile.Profile) -> int:
    return sum(entry.callcount for entry in profile.getstats() if entry.code is leaf.__code__)


def test_beside_another_profiler_predictions_are_measured_without_calls_and_it_is_said_once(
    monitor: PerformanceMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    other = cProfile.Profile()
    other.enable()
    reasons = []
    for _ in range(3):
        with monitor.profile():
            leaf()
        reasons.append(reason_of(monitor))
    other.disable()
    name = "Profile" if ONE_PER_THREAD else "cProfile"
    assert reasons == [f"another profiler is active: {name}"] * 3
    assert [record.message for record in caplog.records] == [
        f"Predictions are measured without cProfile: another profiler is active: {name}"
    ]
    assert calls_of_leaf(other) == 3


def test_after_it_predictions_are_profiled_again(monitor: PerformanceMonitor) -> None:
    with cProfile.Profile(), monitor.profile():
        leaf()
    with monitor.profile():
        leaf()
    assert reason_of(monitor) is None


def test_a_profile_function_in_python_is_left_alone(monitor: PerformanceMonitor) -> None:
    seen = []

    def watch(_frame: object, event: str, _argument: object) -> None:
        seen.append(event)

    sys.setprofile(watch)
    with monitor.profile():
        leaf()
    kept = sys.getprofile()
    sys.setprofile(None)
    assert kept is watch
    assert seen
    assert reason_of(monitor) == "another profiler is active: function"


def test_a_profiler_that_is_switched_on_in_the_middle_of_a_block_goes_on(
    monitor: PerformanceMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    other = cProfile.Profile()
    with monitor.profile():
        leaf()
        other.enable()
        leaf()
    leaf()
    other.disable()
    assert reason_of(monitor) == "another profiler took over"
    assert calls_of_leaf(other) == 2
    message = "Predictions are measured without cProfile: another profiler took over"
    assert [record.message for record in caplog.records] == [message]
    with monitor.profile():
        leaf()
    assert reason_of(monitor) is None


def test_a_prediction_that_uses_a_profiler_itself_is_served(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        leaf()
        with cProfile.Profile() as other:
            leaf()
    assert calls_of_leaf(other) == 1
    # Before 3.12 a thread has one profiler, and the other one was in its place.
    assert reason_of(monitor) == ("another profiler took over" if ONE_PER_THREAD else None)
    with monitor.profile():
        leaf()
    assert reason_of(monitor) is None


@pytest.mark.skipif(ONE_PER_THREAD, reason="sys.monitoring is new in 3.12")
def test_where_every_place_is_taken_that_of_the_profilers_is_used(monitor: PerformanceMonitor) -> None:
    for place in (3, 4):
        sys.monitoring.use_tool_id(place, "somebody")
    with monitor.profile():
        leaf()
        assert sys.monitoring.get_tool(sys.monitoring.PROFILER_ID) == "cProfile"
    kept = [sys.monitoring.get_tool(place) for place in (sys.monitoring.PROFILER_ID, 3, 4)]
    for place in (3, 4):
        sys.monitoring.free_tool_id(place)
    assert kept == [None, "somebody", "somebody"]
    assert reason_of(monitor) is None


def test_a_profiler_that_goes_on_and_off_in_another_thread_breaks_nothing(monitor: PerformanceMonitor) -> None:
    stop = threading.Event()

    def use_a_profiler() -> None:
        while not stop.is_set():
            other = cProfile.Profile()
            try:
                other.enable()
                leaf()
                other.disable()
            except ValueError:
                continue

    thread = threading.Thread(target=use_a_profiler)
    thread.start()
    reasons = set()
    try:
        for _ in range(200):
            with monitor.profile():
                assert leaf() == 1
            reasons.add(reason_of(monitor))
    finally:
        stop.set()
        thread.join()
    assert reasons <= {None, "another profiler is active: cProfile", "another profiler is active"}


def test_beside_a_debugger_or_a_coverage_tool_calls_are_right_and_that_durations_are_not_is_said_once(
    monitor: PerformanceMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    before = sys.gettrace()
    traced = []

    def trace(frame: object, event: str, argument: object) -> None:
        traced.append(event)

    sys.settrace(trace)
    for _ in range(2):
        with monitor.profile():
            leaf()
    sys.settrace(before)
    assert traced
    assert reason_of(monitor) is None
    message = "A debugger or a coverage tool is active: durations are with what it adds"
    assert [record.message for record in caplog.records] == [message]


def test_a_worker_of_gevent_is_not_profiled(monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    patched = SimpleNamespace(is_module_patched=lambda name: name == "threading")
    monkeypatch.setitem(sys.modules, "gevent.monkey", patched)
    with monitor.profile():
        leaf()
    assert reason_of(monitor) == "gevent switches requests inside a thread"
    metrics = monitor.get_metrics()
    assert metrics is not None
    # The others that ran in the thread used its CPU time as well.
    assert metrics["cpu_time_ms"] is metrics["wait_ms"] is None


def test_a_profiler_that_fails_is_logged_once_and_the_prediction_is_served(
    emitted: list[Measurement], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = PerformanceMonitor(emitted.append, enabled=True)

    with monkeypatch.context() as patched:
        patched.setattr("perfcli.monitor.deep.Profile", None)
        for _ in range(2):
            with monitor.profile():
                assert leaf() == 1
    assert [record.message for record in caplog.records] == ["A prediction could not be measured"]
    with monitor.profile():
        leaf()
    assert reason_of(monitor) is None


@pytest.mark.skipif(ONE_PER_THREAD, reason="before 3.12 every thread has a place for a profiler")
def test_whoever_is_faster_by_a_hair_has_the_profiler(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cProfile.Profile()
    monkeypatch.setattr("perfcli.monitor.deep._refuse_beside_other_profilers", other.enable)
    with monitor.profile():
        leaf()
    other.disable()
    monkeypatch.undo()
    assert reason_of(monitor) == "another profiler is active"
    with monitor.profile():
        leaf()
    assert reason_of(monitor) is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_whoever_takes_the_tool_away_in_the_middle_breaks_nothing() -> None:
    script = """
import sys
from perfcli.monitor import PerformanceMonitor
monitor = PerformanceMonitor(lambda measurement: None, enabled=True)
with monitor.profile():
    sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)
for _ in range(2):
    with monitor.profile():
        len("x")
print(monitor.get_metrics()["profiled"])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"
