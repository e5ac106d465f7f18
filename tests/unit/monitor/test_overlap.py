"""Which predictions were under way together: every record says it of its own, against intervals written down here."""

import random
import time
from contextvars import Context, copy_context

import pytest

from perfcli.monitor import Block, Measurement, PerformanceMonitor
from perfcli.monitor.performance_monitor import Off


class Task:
    """A prediction in a context of its own, as a coroutine or a generator has one."""

    def __init__(self, monitor: PerformanceMonitor) -> None:
        self._context: Context = copy_context()
        self.block: Block | Off = monitor.profile()

    def begin(self) -> None:
        self._context.run(self.block.__enter__)

    def end(self) -> dict[str, object]:
        self._context.run(self.block.__exit__, None, None, None)
        assert isinstance(self.block, Block)
        return self.block.document()


@pytest.fixture
def light(emitted: list[Measurement]) -> PerformanceMonitor:
    return PerformanceMonitor(emitted.append, enabled=True, sample_rate=0.0)


@pytest.mark.parametrize("seed", range(20))
def test_overlap_is_that_of_the_intervals(light: PerformanceMonitor, seed: int) -> None:
    draw = random.Random(seed)
    # What is open, with the predictions that were met so far.
    open_tasks: dict[Task, set[Task]] = {}
    for moment in range(200):
        if open_tasks and (moment > 160 or draw.random() < 0.55):
            task = draw.choice(list(open_tasks))
            met = open_tasks.pop(task)
            assert task.end()["isolated"] is not bool(met)
        else:
            task = Task(light)
            task.begin()
            for met in open_tasks.values():
                met.add(task)
            open_tasks[task] = set(open_tasks)
            assert isinstance(task.block, Block)
            assert task.block.in_flight == len(open_tasks)
        # With 0 to 2 open most of the time, both answers occur.
        while len(open_tasks) > 2:
            task, met = open_tasks.popitem()
            assert task.end()["isolated"] is not bool(met)
    for task, met in open_tasks.items():
        assert task.end()["isolated"] is not bool(met)


def test_a_nested_block_meets_whom_its_prediction_meets(light: PerformanceMonitor) -> None:
    seen: list[dict[str, object] | None] = []
    other = Task(light)

    def predict() -> None:
        with light.profile():
            with light.profile():
                pass
            seen.append(light.get_metrics())
            other.begin()
            with light.profile():
                pass
            seen.append(light.get_metrics())
            other.end()
        seen.append(light.get_metrics())

    copy_context().run(predict)
    assert [metrics and metrics["isolated"] for metrics in seen] == [True, False, False]


def test_a_profile_is_given_up_when_another_prediction_begins_in_its_thread(monitor: PerformanceMonitor) -> None:
    first, second = Task(monitor), Task(monitor)
    first.begin()
    second.begin()
    second.end()
    metrics = first.end()
    assert metrics["profiled"] is False
    assert metrics["reason"] == "another prediction ran in the same thread meanwhile"


def test_a_profile_survives_the_blocks_inside_of_it(monitor: PerformanceMonitor) -> None:
    with monitor.profile(), monitor.profile():
        pass
    metrics = monitor.get_metrics()
    assert metrics is not None
    assert metrics["profiled"] is True


def test_what_a_block_costs_does_not_grow_with_those_in_flight(light: PerformanceMonitor) -> None:
    def fastest_ns() -> int:
        durations: list[int] = []
        for _ in range(300):
            task = Task(light)
            started_ns = time.perf_counter_ns()
            task.begin()
            durations.append(time.perf_counter_ns() - started_ns)
            task.end()
        return min(durations)

    alone_ns = fastest_ns()
    waiting = [Task(light) for _ in range(5000)]
    for task in waiting:
        task.begin()
    among_many_ns = fastest_ns()
    for task in waiting:
        task.end()
    # A look at each of the others took 50 times as long.
    assert among_many_ns < 5 * alone_ns
