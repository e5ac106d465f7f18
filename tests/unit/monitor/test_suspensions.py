"""Generators and coroutines that are left in the middle of a block: what runs meanwhile is none of the block's."""

import asyncio
import threading
from collections.abc import Iterator
from contextvars import copy_context

from perfcli.monitor import Measurement, PerformanceMonitor


def leaf() -> int:
    return 1


def foreign(times: int = 1000) -> int:
    return sum(leaf() for _ in range(times))


def metrics_of(monitor: PerformanceMonitor) -> dict[str, object]:
    metrics = monitor.get_metrics()
    assert metrics is not None
    return metrics


def test_a_generator_that_others_run_in_between_claims_nothing_of_them(monitor: PerformanceMonitor) -> None:
    found: list[dict[str, object]] = []

    def measured() -> Iterator[None]:
        with monitor.profile():
            yield
        found.append(metrics_of(monitor))

    # As a framework runs a dependency that yields: each step in a worker thread, and in a context of its own.
    for _ in range(2):
        steps = measured()
        copy_context().run(next, steps)
        foreign()
        copy_context().run(next, steps, None)
    for metrics in found:
        assert metrics["profiled"] is False
        assert metrics["reason"] == "the block is in a generator, and others run in between"
        assert metrics["cpu_time_ms"] is metrics["wait_ms"] is metrics["function_calls"] is None
    # The second time that was known before, and the slot free for others.
    assert found[1]["memory_delta_mb"] is None


def test_while_a_generator_that_was_suspended_before_waits_others_are_profiled(monitor: PerformanceMonitor) -> None:
    def measured() -> Iterator[None]:
        with monitor.profile():
            yield

    def step_by_step() -> Iterator[None]:
        steps = measured()
        copy_context().run(next, steps)
        yield
        copy_context().run(next, steps, None)

    for _ in step_by_step():
        pass
    for _ in step_by_step():
        with monitor.profile():
            leaf()
        assert metrics_of(monitor)["function_calls"] == 1


def test_a_decorated_coroutine_that_waits_is_no_reason_not_to_profile_another_one(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    @monitor.profiled
    async def waits() -> None:
        await asyncio.sleep(0)

    @monitor.profiled
    async def computes() -> int:
        return foreign()

    async def serve() -> None:
        await waits()
        await computes()
        await waits()
        await computes()

    asyncio.run(serve())
    assert [measurement.document()["profiled"] for measurement in emitted] == [False, True, False, True]


def test_a_coroutine_that_calls_itself_is_not_taken_for_one_that_was_suspended(monitor: PerformanceMonitor) -> None:
    async def descend(left: int) -> int:
        if left == 3:
            with monitor.profile():
                return await descend(left - 1)
        return await descend(left - 1) if left else leaf()

    asyncio.run(descend(3))

    async def serve() -> list[object]:
        reasons = []
        for _ in range(2):
            await descend(3)
            reasons.append(metrics_of(monitor)["reason"])
        return reasons

    assert asyncio.run(serve()) == [None, None]


def test_threads_in_one_block_read_their_own_metrics(monitor: PerformanceMonitor) -> None:
    light = PerformanceMonitor(lambda measurement: None, enabled=True, sample_rate=0.0)
    first_ended, second_ended = threading.Event(), threading.Event()
    found: list[object] = []

    def first() -> None:
        with light.profile():
            first_ended.wait(0.2)
        first_ended.set()
        second_ended.wait(10)
        found.append(metrics_of(light)["inference_time_ms"])

    def second() -> None:
        first_ended.wait(10)
        with light.profile():
            pass
        found.append(metrics_of(light)["inference_time_ms"])
        second_ended.set()

    with light.profile():
        threads = [threading.Thread(target=copy_context().run, args=(target,)) for target in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # In this thread nothing has ended yet.
        assert light.get_metrics() is None
    of_second, of_first = found
    assert isinstance(of_first, float)
    assert isinstance(of_second, float)
    assert of_first >= 200 > of_second
