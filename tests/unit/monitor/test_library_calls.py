"""The calls a service makes, one after the other in one thread."""

import functools
import json
import threading
import time
from collections.abc import Iterator

import pytest

from perfcli.monitor import Block, Measurement, PerformanceMonitor

THE_SEVEN = [
    "inference_time_ms",
    "cpu_time_ms",
    "memory_mb",
    "memory_delta_mb",
    "function_calls",
    "latency_ms",
    "top_functions",
]


def leaf(number: int) -> int:
    return number + 1


def branch(calls: int) -> int:
    number = 0
    for _ in range(calls):
        number = leaf(number)
    return abs(number)


BRANCH_OF_TEN = 11


def metrics_of(monitor: PerformanceMonitor) -> dict[str, object]:
    metrics = monitor.get_metrics()
    assert metrics is not None
    return metrics


def names_in(metrics: dict[str, object]) -> set[str]:
    functions = metrics["top_functions"]
    assert isinstance(functions, list)
    return {function["function"] for function in functions}


def test_the_calls_of_the_readme_measure_and_log_a_prediction(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    with monitor.profile():
        branch(10)
    metrics = monitor.get_metrics()
    monitor.log_metrics(metrics)
    assert metrics is not None
    assert list(metrics)[:7] == THE_SEVEN
    assert json.loads(json.dumps(metrics)) == metrics
    assert [measurement.document() for measurement in emitted] == [metrics]


def test_exactly_the_calls_of_the_block_are_counted(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        branch(10)
    metrics = metrics_of(monitor)
    assert metrics["profiled"] is True
    assert metrics["reason"] is None
    assert metrics["function_calls"] == BRANCH_OF_TEN


def test_an_empty_block_has_no_calls(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        pass
    metrics = metrics_of(monitor)
    assert metrics["function_calls"] == 0
    assert metrics["top_functions"] == []


def test_functions_have_their_qualified_name_their_file_and_their_calls(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        branch(10)
    functions = metrics_of(monitor)["top_functions"]
    assert isinstance(functions, list)
    by_name = {function["function"]: function for function in functions}
    assert {name: function["calls"] for name, function in by_name.items()} == {"leaf": 10, "branch": 1}
    assert by_name["leaf"]["file"].endswith("tests/unit/monitor/test_library_calls.py")
    assert by_name["leaf"]["line"] == leaf.__code__.co_firstlineno
    assert by_name["branch"]["cumulative_time_ms"] >= by_name["branch"]["total_time_ms"]
    assert by_name["branch"]["cumulative_time_ms"] >= by_name["leaf"]["cumulative_time_ms"]


def test_asking_later_and_changing_the_answer_change_nothing(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        branch(10)
    first = metrics_of(monitor)
    expected = json.dumps(first)
    branch(1000)
    first["inference_time_ms"] = 0
    assert json.dumps(metrics_of(monitor)) == expected


def test_an_exception_gives_a_record_with_its_type_and_goes_on(monitor: PerformanceMonitor) -> None:
    with pytest.raises(KeyError, match="patient"), monitor.profile():
        raise KeyError("patient 7")
    metrics = metrics_of(monitor)
    assert metrics["error"] == "KeyError"
    assert "patient" not in json.dumps(metrics)


def test_a_prediction_without_error_says_so(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        branch(1)
    assert metrics_of(monitor)["error"] is None


def test_there_are_no_metrics_before_the_first_block(monitor: PerformanceMonitor) -> None:
    assert monitor.get_metrics() is None
    with monitor.profile():
        assert monitor.get_metrics() is None


def test_logging_nothing_logs_nothing(monitor: PerformanceMonitor, emitted: list[Measurement]) -> None:
    monitor.log_metrics(monitor.get_metrics())
    assert emitted == []


def test_fields_that_are_added_to_the_metrics_are_logged(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    with monitor.profile():
        branch(1)
    metrics = metrics_of(monitor)
    monitor.log_metrics({**metrics, "model": "v2"})
    assert emitted[0].document() == {**metrics, "model": "v2"}


def test_a_log_that_fails_is_no_problem_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_measurement: Measurement) -> None:
        raise OSError("disk full")

    monitor = PerformanceMonitor(refuse, enabled=True)
    for _ in range(2):
        with monitor.profile():
            branch(1)
        monitor.log_metrics(monitor.get_metrics())
    assert [record.message for record in caplog.records] == ["A measurement could not be logged"]


class TestTimes:
    """The record lies between what the test itself reads inside and around the block."""

    def test_wall_and_cpu_time_are_those_of_the_block(self, monitor: PerformanceMonitor) -> None:
        outer = time.perf_counter_ns(), time.thread_time_ns()
        with monitor.profile():
            inner = time.perf_counter_ns(), time.thread_time_ns()
            branch(20_000)
            inner = time.perf_counter_ns() - inner[0], time.thread_time_ns() - inner[1]
        outer = time.perf_counter_ns() - outer[0], time.thread_time_ns() - outer[1]
        metrics = metrics_of(monitor)
        for name, low, high in zip(("inference_time_ms", "cpu_time_ms"), inner, outer, strict=True):
            value = metrics[name]
            assert isinstance(value, float)
            assert low / 1e6 <= value <= high / 1e6

    def test_waiting_is_no_cpu_time(self, monitor: PerformanceMonitor) -> None:
        watch_ns = time.thread_time_ns()
        with monitor.profile():
            time.sleep(0.05)
        watch_ns = time.thread_time_ns() - watch_ns
        metrics = metrics_of(monitor)
        wall, cpu, wait = (metrics[name] for name in ("inference_time_ms", "cpu_time_ms", "wait_ms"))
        assert isinstance(wall, float)
        assert isinstance(cpu, float)
        assert wall >= 50
        # A machine that stands still may count that as CPU time; the watch counts it too, and no sleep.
        assert cpu <= watch_ns / 1e6
        assert wait == pytest.approx(wall - cpu, abs=1e-5)

    def test_the_latency_is_at_least_the_inference_time(self, monitor: PerformanceMonitor) -> None:
        with monitor.profile():
            branch(10)
        metrics = metrics_of(monitor)
        assert metrics["latency_ms"] == metrics["inference_time_ms"]

    def test_memory_is_the_resident_set_of_this_process(self, monitor: PerformanceMonitor) -> None:
        import psutil

        kept = []
        with monitor.profile():
            kept.append(b"x" * 32 * 2**20)
        metrics = metrics_of(monitor)
        assert metrics["memory_mb"] == pytest.approx(psutil.Process().memory_info().rss / 2**20, rel=0.02)
        assert metrics["memory_delta_mb"] == pytest.approx(32, abs=1)


class TestSwitch:
    def test_switched_off_a_block_is_shared_and_has_no_metrics(self, emitted: list[Measurement]) -> None:
        monitor = PerformanceMonitor(emitted.append)
        assert monitor.enabled is False
        assert monitor.profile() is monitor.profile()
        with monitor.profile():
            branch(1)
        assert monitor.get_metrics() is None

    def test_it_is_switched_while_the_service_runs(self, monitor: PerformanceMonitor) -> None:
        with monitor.profile():
            branch(10)
        monitor.disable()
        assert monitor.get_metrics() is None
        with monitor.profile():
            branch(1)
        monitor.enable()
        # Those of the first block are not what somebody expects who has just run the second one.
        assert monitor.get_metrics() is None
        with monitor.profile():
            branch(10)
        assert metrics_of(monitor)["function_calls"] == BRANCH_OF_TEN

    def test_a_block_that_has_begun_is_measured_to_its_end(self, monitor: PerformanceMonitor) -> None:
        with monitor.profile():
            monitor.disable()
            branch(10)
        monitor.enable()
        assert names_in(metrics_of(monitor)) >= {"branch", "leaf"}


class TestNesting:
    def test_a_nested_block_has_its_own_metrics_and_the_outer_one_has_the_sum(
        self, monitor: PerformanceMonitor
    ) -> None:
        with monitor.profile() as whole:
            branch(10)
            with monitor.profile() as nested:
                branch(10)
        assert isinstance(whole, Block)
        assert isinstance(nested, Block)
        assert whole._profile is not None
        # All functions, not the top five: a noisy machine can put any of the monitor's own system calls among these.
        entries = whole._profile.read()
        in_python = {entry.code.co_name: entry.callcount for entry in entries if not isinstance(entry.code, str)}
        assert in_python == {"leaf": 20, "branch": 2}
        inner, outer = nested.document(), whole.document()
        assert inner["profiled"] is False
        assert inner["reason"] == "an enclosing block is being profiled"
        assert inner["in_flight"] == outer["in_flight"] == 1
        assert inner["isolated"] is outer["isolated"] is True

    def test_the_second_nested_block_belongs_to_the_outer_one_too(self, monitor: PerformanceMonitor) -> None:
        with monitor.profile():
            with monitor.profile():
                pass
            with pytest.raises(ValueError, match="x"), monitor.profile():
                raise ValueError("x")
            assert metrics_of(monitor)["error"] == "ValueError"
        assert metrics_of(monitor)["error"] is None


@pytest.mark.parametrize("clock", ["perf_counter_ns", "process_time_ns", "thread_time_ns"])
def test_a_clock_that_fails_at_the_end_leaves_no_profile_behind(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    with monkeypatch.context() as broken, monitor.profile():
        broken.setattr(f"perfcli.monitor.block.{clock}", functools.partial(int, "no clock today"))
    with monitor.profile():
        branch(10)
    assert metrics_of(monitor)["profiled"] is True


def test_cpu_time_of_a_block_that_ends_in_a_new_thread_is_unknown_or_its_own(monitor: PerformanceMonitor) -> None:
    def halves() -> Iterator[None]:
        with monitor.profile():
            yield

    block = halves()
    found: list[dict[str, object]] = []

    def begin() -> None:
        sum(range(2_000_000))
        next(block)

    def end() -> None:
        next(block, None)
        found.append(metrics_of(monitor))

    # The second may get the number of the first, and then its clock began later.
    for half in (begin, end):
        thread = threading.Thread(target=half)
        thread.start()
        thread.join()
    assert found[0]["cpu_time_ms"] is None
    assert found[0]["wait_ms"] is None


def test_two_threads_that_read_one_record_read_the_same(monitor: PerformanceMonitor) -> None:
    with monitor.profile() as block:
        branch(10)
    assert block is not None
    others: list[dict[str, object]] = []

    class ReadOnceMoreWhenFree:
        """The lock of the record; another reader comes just when it is free again."""

        def __enter__(self) -> None: ...

        def __exit__(self, kind: object, error: object, traceback: object) -> None:
            if not others:
                others.append({})
                others.append(block.document())

    block._lock = ReadOnceMoreWhenFree()  # type: ignore[assignment]  # all that is asked of it
    metrics = block.document()
    assert metrics["profiled"] is True
    assert others[1] == metrics
