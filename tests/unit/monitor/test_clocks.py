"""The memory of this process, and what must hold between the clocks of every record."""

import mmap
import os
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcli.monitor import PerformanceMonitor
from perfcli.monitor.clocks import ResidentMemory


def tolerance_ms(duration_ms: float) -> float:
    """Return how far CLOCK_THREAD_CPUTIME_ID and CLOCK_MONOTONIC may be apart, of which only one is steered by NTP."""
    return 0.01 + 0.001 * duration_ms


def test_the_resident_set_is_what_psutil_says() -> None:
    memory = ResidentMemory()
    assert memory.read_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.02)
    kept = bytearray(os.urandom(1024)) * 2**14
    assert memory.read_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.02)
    assert len(kept) == 2**24


def test_a_recent_size_is_read_again_after_a_tenth_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = ResidentMemory()
    sizes = iter([1, 2])
    monkeypatch.setattr(memory, "read_bytes", lambda: next(sizes))
    seen = [memory.recent_bytes(now_ns) for now_ns in (10**9, 11 * 10**8, 11 * 10**8 + 1, 12 * 10**8)]
    assert seen == [1, 1, 2, 2]


def test_only_a_profiled_prediction_tells_by_how_much_the_memory_grew() -> None:
    deltas = []
    for share in (0.0, 1.0):
        monitor = PerformanceMonitor(lambda measurement: None, enabled=True, sample_rate=share)
        with mmap.mmap(-1, 2**24) as pages:
            with monitor.profile():
                for page in range(0, len(pages), mmap.PAGESIZE):
                    pages[page] = 1
            metrics = monitor.get_metrics()
        assert metrics is not None
        deltas.append(metrics["memory_delta_mb"])
    assert deltas == [None, pytest.approx(16, abs=1)]


def test_where_there_is_no_statm_psutil_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("perfcli.monitor.clocks._STATM", str(tmp_path / "missing"))
    assert ResidentMemory().read_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.02)


def test_a_daemon_that_closed_all_files_gets_its_memory_all_the_same(tmp_path: Path) -> None:
    memory = ResidentMemory()
    memory.read_bytes()
    assert memory._statm is not None
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    os.dup2(other, memory._statm)
    for _ in range(2):
        assert memory.read_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.02)
    os.close(other)


def in_thread_seconds(duration_s: float) -> None:
    end_s = time.thread_time() + duration_s
    while time.thread_time() < end_s:
        pass


def asleep_in_seconds(duration_s: float) -> float:
    """Sleep; return for how long the thread had no processor: to fall asleep and to wake up takes CPU time."""
    cpu_begun_s, wall_begun_s = time.thread_time(), time.perf_counter()
    time.sleep(duration_s)
    wall_ended_s, cpu_ended_s = time.perf_counter(), time.thread_time()
    return (wall_ended_s - wall_begun_s) - (cpu_ended_s - cpu_begun_s)


@settings(max_examples=60, deadline=None)
@given(
    busy_ms=st.integers(0, 4),
    asleep_ms=st.integers(0, 4),
    nested=st.booleans(),
    fails=st.booleans(),
    share=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_what_holds_for_every_record(busy_ms: int, asleep_ms: int, nested: bool, fails: bool, share: float) -> None:
    monitor = PerformanceMonitor(lambda measurement: None, enabled=True, sample_rate=share)
    try:
        with monitor.profile():
            in_thread_seconds(busy_ms / 1e3)
            waited_ms = asleep_in_seconds(asleep_ms / 1e3) * 1e3
            if nested:
                with monitor.profile():
                    pass
            if fails:
                {}[busy_ms]
    except KeyError:
        assert fails
    metrics = monitor.get_metrics()
    assert metrics is not None
    wall, cpu, wait, process_cpu, latency = (
        float(str(metrics[name]))
        for name in ("inference_time_ms", "cpu_time_ms", "wait_ms", "process_cpu_time_ms", "latency_ms")
    )
    assert busy_ms <= cpu <= wall + tolerance_ms(wall)
    assert busy_ms + asleep_ms <= wall + tolerance_ms(wall)
    assert wait >= waited_ms - tolerance_ms(wall)
    assert cpu <= process_cpu + tolerance_ms(wall)
    assert latency >= wall
    assert metrics["profiled"] is (metrics["function_calls"] is not None)
    assert metrics["profiled"] is (metrics["reason"] is None)
    assert metrics["error"] == ("KeyError" if fails else None)
