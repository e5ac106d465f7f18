"""Eight threads and eight coroutines at once: every record is that of its own block, and of nothing else.

Work has an exact number of calls, different for each of the eight, so one foreign call, or one too few, is seen.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from perfcli.monitor import PerformanceMonitor

WORKERS = 8
ROUNDS = 50
STEPS = 100


@dataclass
class Observed:
    worker: int
    metrics: dict[str, object]
    inner_wall_ns: int
    outer_wall_ns: int
    inner_cpu_ns: int
    outer_cpu_ns: int


@pytest.fixture(autouse=True)
def _threads_alternate_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def step(number: int) -> int:
    for _ in range(20):
        number = number * 3 % 1_000_003
    return number


def compute(worker: int) -> int:
    """Make `STEPS * turns_of(worker)` calls of `step`, and let the other threads run in between."""
    number = worker
    for _ in range(turns_of(worker)):
        time.sleep(0)
        for _ in range(STEPS):
            number = step(number)
    return number


def turns_of(worker: int) -> int:
    return 10 + worker


def calls_of(worker: int) -> int:
    return 0 if worker % 2 else 2 + STEPS * turns_of(worker)


def observe(monitor: PerformanceMonitor, worker: int) -> Observed:
    outer = time.perf_counter_ns(), time.thread_time_ns()
    with monitor.profile():
        inner = time.perf_counter_ns(), time.thread_time_ns()
        if worker % 2:
            time.sleep(0.005)
        else:
            compute(worker)
        inner_wall_ns, inner_cpu_ns = time.perf_counter_ns() - inner[0], time.thread_time_ns() - inner[1]
    outer_wall_ns, outer_cpu_ns = time.perf_counter_ns() - outer[0], time.thread_time_ns() - outer[1]
    metrics = monitor.get_metrics()
    assert metrics is not None
    return Observed(worker, metrics, inner_wall_ns, outer_wall_ns, inner_cpu_ns, outer_cpu_ns)


def in_threads(monitor: PerformanceMonitor) -> list[Observed]:
    observed: list[Observed] = []

    def worker(number: int) -> None:
        for _ in range(ROUNDS):
            observed.append(observe(monitor, number))

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return observed


def number_in(metrics: dict[str, object], name: str) -> float:
    value = metrics[name]
    assert isinstance(value, int | float)
    return value


def check_calls(observed: list[Observed]) -> None:
    """Every record has its own calls, or says why it has none."""
    for one in observed:
        if one.metrics["profiled"]:
            assert one.metrics["function_calls"] == calls_of(one.worker)
        else:
            assert one.metrics["reason"] in {
                "another prediction was being profiled",
                "the block awaits, and other coroutines run in between",
            }
            assert one.metrics["function_calls"] is None
            assert one.metrics["top_functions"] is None


def test_in_threads_every_record_has_the_calls_of_its_own_block(monitor: PerformanceMonitor) -> None:
    profiled: list[Observed] = []
    # Who is profiled is a matter of luck: on a busy machine the short ones may find the profiler taken all the time, in
    # two attempts of three.
    for _ in range(100):
        observed = in_threads(monitor)
        assert len(observed) == WORKERS * ROUNDS
        check_calls(observed)
        profiled += [one for one in observed if one.metrics["profiled"]]
        if {(one.worker % 2, one.metrics["isolated"]) for one in profiled} >= {(0, False), (1, False)}:
            break
    else:
        pytest.fail("in a hundred attempts nobody, or only one kind of prediction, was profiled beside the others")


def test_in_threads_every_record_has_the_times_of_its_own_block(monitor: PerformanceMonitor) -> None:
    for one in in_threads(monitor):
        assert one.inner_wall_ns / 1e6 <= number_in(one.metrics, "inference_time_ms") <= one.outer_wall_ns / 1e6
        assert one.inner_cpu_ns / 1e6 <= number_in(one.metrics, "cpu_time_ms") <= one.outer_cpu_ns / 1e6
        assert 1 <= number_in(one.metrics, "in_flight") <= WORKERS


def test_other_threads_outside_of_blocks_leave_no_trace(monitor: PerformanceMonitor) -> None:
    stop = threading.Event()

    def make_noise() -> None:
        while not stop.is_set():
            compute(1)

    noise = threading.Thread(target=make_noise)
    noise.start()
    try:
        observed = [observe(monitor, 0) for _ in range(20)]
    finally:
        stop.set()
        noise.join()
    assert [one.metrics["function_calls"] for one in observed] == [calls_of(0)] * 20
    assert all(one.metrics["isolated"] is True for one in observed)


def test_coroutines_that_do_not_await_in_the_block_are_profiled_exactly(monitor: PerformanceMonitor) -> None:
    async def worker(number: int) -> list[Observed]:
        observed = []
        for _ in range(ROUNDS):
            observed.append(observe(monitor, number))
            await asyncio.sleep(0)
        return observed

    async def all_workers() -> list[list[Observed]]:
        return await asyncio.gather(*(worker(number) for number in range(WORKERS)))

    observed = [one for each in asyncio.run(all_workers()) for one in each]
    assert len(observed) == WORKERS * ROUNDS
    assert all(one.metrics["profiled"] for one in observed)
    check_calls(observed)
    for one in observed:
        assert one.inner_cpu_ns / 1e6 <= number_in(one.metrics, "cpu_time_ms") <= one.outer_cpu_ns / 1e6


def test_coroutines_that_await_in_the_block_claim_nothing_of_the_others(monitor: PerformanceMonitor) -> None:
    async def awaiting(number: int) -> Observed:
        begun_ns = time.perf_counter_ns()
        with monitor.profile():
            inner_ns = time.perf_counter_ns()
            await asyncio.sleep(0.005)
            inner_ns = time.perf_counter_ns() - inner_ns
        outer_ns = time.perf_counter_ns() - begun_ns
        metrics = monitor.get_metrics()
        assert metrics is not None
        return Observed(number, metrics, inner_ns, outer_ns, 0, 0)

    async def worker(number: int) -> list[Observed]:
        if number % 2:
            return [await awaiting(number) for _ in range(ROUNDS)]
        observed = []
        for _ in range(ROUNDS):
            observed.append(observe(monitor, number))
            await asyncio.sleep(0)
        return observed

    async def all_workers() -> list[list[Observed]]:
        return await asyncio.gather(*(worker(number) for number in range(WORKERS)))

    observed = [one for each in asyncio.run(all_workers()) for one in each]
    check_calls(observed)
    for one in observed:
        assert one.inner_wall_ns / 1e6 <= number_in(one.metrics, "inference_time_ms") <= one.outer_wall_ns / 1e6
        if one.worker % 2:
            assert one.metrics["profiled"] is False
            assert one.metrics["cpu_time_ms"] is None
            assert one.metrics["wait_ms"] is None
    assert any(one.metrics["profiled"] for one in observed)


def test_a_block_that_awaits_is_profiled_in_vain_only_once(monitor: PerformanceMonitor) -> None:
    async def predict() -> object:
        with monitor.profile():
            await asyncio.sleep(0)
        metrics = monitor.get_metrics()
        assert metrics is not None
        assert metrics["memory_delta_mb"] is None
        return metrics["reason"]

    async def compute_alone() -> object:
        with monitor.profile():
            compute(0)
        metrics = monitor.get_metrics()
        assert metrics is not None
        return metrics["profiled"]

    async def both() -> list[object]:
        return [await predict(), await predict(), await compute_alone()]

    reason = "the block awaits, and other coroutines run in between"
    assert asyncio.run(both()) == [reason, reason, True]


def test_a_coroutine_that_never_waits_is_not_taken_for_one_that_does(monitor: PerformanceMonitor) -> None:
    async def inside() -> int:
        return compute(0)

    async def predict() -> dict[str, object]:
        with monitor.profile():
            await inside()
        metrics = monitor.get_metrics()
        assert metrics is not None
        return metrics

    metrics = asyncio.run(predict())
    assert metrics["profiled"] is True
    assert metrics["cpu_time_ms"] is not None


def test_a_block_in_a_worker_thread_of_a_coroutine_is_profiled(monitor: PerformanceMonitor) -> None:
    observed = asyncio.run(asyncio.to_thread(observe, monitor, 0))
    assert observed.metrics["function_calls"] == calls_of(0)


def test_a_task_does_not_see_what_its_parent_measured_before(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        compute(0)

    async def ask() -> object:
        return monitor.get_metrics()

    assert asyncio.run(ask()) is None


def test_a_generator_that_goes_on_in_another_thread_claims_nothing(monitor: PerformanceMonitor) -> None:
    def stream() -> Iterator[int]:
        with monitor.profile():
            yield 1

    chunks = stream()
    thread = threading.Thread(target=next, args=(chunks,))
    thread.start()
    thread.join()
    assert list(chunks) == []
    metrics = monitor.get_metrics()
    assert metrics is not None
    assert metrics["reason"] == "the block ended in another thread than it began in"
    assert metrics["cpu_time_ms"] is None
    assert observe(monitor, 0).metrics["function_calls"] == calls_of(0)


def test_a_profile_that_another_thread_ended_is_dropped_by_its_own(monitor: PerformanceMonitor) -> None:
    blocks: list[object] = []
    begun, ended = threading.Event(), threading.Event()

    def thread() -> None:
        block = monitor.profile()
        block.__enter__()
        blocks.append(block)
        begun.set()
        ended.wait(10)
        blocks.append(observe(monitor, 0).metrics["function_calls"])
        blocks.append(sys.getprofile())

    running = threading.Thread(target=thread)
    running.start()
    begun.wait(10)
    blocks[0].__exit__(None, None, None)  # type: ignore[attr-defined]
    ended.set()
    running.join()
    assert blocks[1:] == [calls_of(0), None]
