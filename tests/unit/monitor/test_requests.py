"""What a middleware and the decorator do: one request, its ids, its latency, its log."""

import asyncio
import contextlib
import contextvars
import gc
import logging
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.exceptions import HTTPException

from perfcli.monitor import Block, BlockMeasurement, Measurement, PerformanceMonitor
from perfcli.monitor.context import MOST_BLOCKS, open_blocks


def predict() -> int:
    return 1


def ids(measurement: Measurement) -> tuple[str | None, str | None]:
    return measurement.transaction_id, measurement.trace_id


def test_a_request_logs_its_prediction_when_it_ends_with_ids_and_end_to_end_latency(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    outer_ns = time.perf_counter_ns()
    with monitor.request("r-1", "t-1"):
        with monitor.profile():
            predict()
        assert emitted == []
        inner_ns = time.perf_counter_ns()
        predict()
        inner_ns = time.perf_counter_ns() - inner_ns
    outer_ns = time.perf_counter_ns() - outer_ns
    (measurement,) = emitted
    metrics = measurement.document()
    assert ids(measurement) == ("r-1", "t-1")
    latency_ms, inference_ms = metrics["latency_ms"], metrics["inference_time_ms"]
    assert isinstance(latency_ms, float)
    assert isinstance(inference_ms, float)
    assert inference_ms + inner_ns / 1e6 <= latency_ms <= outer_ns / 1e6


def test_a_thread_reports_to_the_request_whose_context_it_copied(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    def endpoint() -> object:
        with monitor.profile():
            predict()
        return monitor.get_metrics()

    async def answer(number: int) -> object:
        with monitor.request(f"r-{number}"):
            inside = await asyncio.to_thread(endpoint)
            outside = monitor.get_metrics()
            assert inside == outside
            return inside

    async def serve() -> list[object]:
        return await asyncio.gather(*(answer(number) for number in range(20)))

    answers = asyncio.run(serve())
    assert sorted(str(measurement.transaction_id) for measurement in emitted) == sorted(f"r-{n}" for n in range(20))
    inference_ms = {measurement.transaction_id: measurement.document()["inference_time_ms"] for measurement in emitted}
    for number, metrics in enumerate(answers):
        assert isinstance(metrics, dict)
        assert inference_ms[f"r-{number}"] == metrics["inference_time_ms"]


def test_what_the_handler_logs_is_logged_once_and_with_the_latency_of_the_request(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    with monitor.request("r-1", "t-1"):
        with monitor.profile():
            predict()
        metrics = monitor.get_metrics()
        assert metrics is not None
        monitor.log_metrics({**metrics, "model": "v2"})
    (measurement,) = emitted
    document = measurement.document()
    assert ids(measurement) == ("r-1", "t-1")
    assert document["model"] == "v2"
    assert float(str(document["latency_ms"])) > float(str(metrics["latency_ms"]))
    assert document["inference_time_ms"] == metrics["inference_time_ms"]


def test_a_nested_block_is_a_part_of_the_prediction_and_not_logged_again(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    with monitor.request("r-1"), monitor.profile(), monitor.profile():
        predict()
    assert len(emitted) == 1
    assert isinstance(emitted[0], BlockMeasurement)
    assert emitted[0].nested is False


def test_a_request_that_fails_is_logged_too(monitor: PerformanceMonitor, emitted: list[Measurement]) -> None:
    with pytest.raises(ZeroDivisionError), monitor.request("r-1"), monitor.profile():
        1 / 0  # noqa: B018
    assert emitted[0].document()["error"] == "ZeroDivisionError"


def test_a_request_does_not_see_what_was_measured_before_it(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        predict()
    with monitor.request("r-1"):
        assert monitor.get_metrics() is None


def test_after_the_request_a_log_goes_out_at_once_and_keeps_the_ids(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    done = threading.Event()

    async def background() -> None:
        await asyncio.to_thread(done.wait, 10)
        monitor.log_metrics({"latency_ms": 1.0})

    async def serve() -> None:
        with monitor.request("r-1"):
            task = asyncio.create_task(background())
            await asyncio.sleep(0)
        done.set()
        await task

    asyncio.run(serve())
    (measurement,) = emitted
    assert ids(measurement) == ("r-1", None)
    assert measurement.document() == {"latency_ms": 1.0}


def test_a_decorated_function_is_measured_and_logged_at_each_call(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    @monitor.profiled
    def decorated(number: int) -> int:
        """Predict."""
        return predict() + number

    assert [decorated(1), decorated(number=2)] == [2, 3]
    assert [measurement.document()["error"] for measurement in emitted] == [None, None]
    functions = emitted[0].document()["top_functions"]
    assert isinstance(functions, list)
    assert {function["function"].rpartition(".")[2] for function in functions} == {"decorated", "predict"}
    assert (decorated.__name__, decorated.__doc__) == ("decorated", "Predict.")


def test_a_decorated_coroutine_function_is_measured_until_it_returns(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    @monitor.profiled
    async def decorated() -> int:
        await asyncio.sleep(0.01)
        return 7

    assert asyncio.run(_await(decorated())) == 7
    assert float(str(emitted[0].document()["inference_time_ms"])) >= 10


async def _await(awaitable: object) -> object:
    return await awaitable  # type: ignore[misc]


def test_a_decorated_function_that_raises_is_logged(monitor: PerformanceMonitor, emitted: list[Measurement]) -> None:
    @monitor.profiled
    def decorated() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        decorated()
    assert emitted[0].document()["error"] == "LookupError"


def test_a_generator_is_not_decorated_for_its_call_does_nothing(monitor: PerformanceMonitor) -> None:
    def rows() -> Iterator[int]:
        yield 1

    async def rows_later() -> AsyncIterator[int]:
        yield 1

    for function in (rows, rows_later):
        with pytest.raises(TypeError, match=f"{function.__name__} is a generator"):
            monitor.profiled(function)


def test_inside_a_request_a_decorated_function_is_logged_by_the_request(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    decorated = monitor.profiled(predict)
    with monitor.request("r-1"):
        decorated()
        assert emitted == []
    assert [ids(measurement) for measurement in emitted] == [("r-1", None)]


def test_switched_off_a_decorated_function_is_just_called(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    decorated = monitor.profiled(predict)
    monitor.disable()
    assert decorated() == 1
    assert emitted == []


def test_a_block_in_a_context_manager_of_somebody_else_is_measured(monitor: PerformanceMonitor) -> None:
    from contextlib import contextmanager

    @contextmanager
    def theirs() -> Iterator[None]:
        with monitor.profile():
            yield

    with theirs():
        predict()
    metrics = monitor.get_metrics()
    assert metrics is not None
    assert metrics["profiled"] is True


def test_a_finished_task_is_freed_at_once(monitor: PerformanceMonitor) -> None:
    async def predict_in_task() -> None:
        with monitor.profile():
            predict()

    async def serve() -> object:
        task = asyncio.create_task(predict_in_task())
        freed = weakref.ref(task)
        await task
        del task
        # What wakes this coroutine up holds the task while it runs.
        await asyncio.sleep(0)
        return freed()

    # No collection helps: there is none in these tests.
    assert not gc.isenabled()
    assert asyncio.run(serve()) is None


def test_an_answered_request_and_the_block_of_its_endpoint_are_freed_at_once() -> None:
    monitor = PerformanceMonitor(lambda measurement: None, enabled=True)
    assert not gc.isenabled()
    with monitor.request() as request:
        with monitor.profile_endpoint(predict.__code__, request) as block:
            predict()
        assert block is not None
        block.document()
    freed = weakref.ref(block)
    del block, request
    with monitor.profile():
        pass
    monitor.get_metrics()
    assert freed() is None


class _EndsWithItsRequest(list[Block]):
    """Blocks of a request that ends just when it has got one: a thread switch at the worst moment, made certain."""

    def __init__(self) -> None:
        self.appended, self.ended = threading.Event(), threading.Event()

    def append(self, block: Block) -> None:
        super().append(block)
        self.appended.set()
        self.ended.wait(60)


def test_a_block_that_ends_together_with_its_request_is_counted_and_logged_once_with_its_id(
    emitted: list[Measurement],
) -> None:
    monitor = PerformanceMonitor(emitted.append, enabled=True, sample_rate=0.0)
    request = monitor.request("r-1", "t-1")
    request.blocks = blocks = _EndsWithItsRequest()
    worker = threading.Thread(target=contextvars.copy_context().run, args=(monitor.profiled(predict),))
    worker.start()
    assert blocks.appended.wait(60)
    request.end()
    blocks.ended.set()
    worker.join()
    assert [ids(measurement) for measurement in emitted] == [("r-1", "t-1")]
    assert monitor.cost()["predictions"] == 1


def test_a_block_is_counted_before_its_request_ends(monitor: PerformanceMonitor) -> None:
    with monitor.request():
        with monitor.profile():
            predict()
        assert monitor.cost()["predictions"] == 1


def test_an_endpoint_is_logged_also_when_the_block_around_it_outlives_the_request(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    with monitor.profile():
        with monitor.request("r-1"), monitor.profile():
            predict()
        assert [measurement.transaction_id for measurement in emitted] == ["r-1"]
    assert len(emitted) == 1


def test_a_request_that_has_ended_holds_nothing_of_the_tasks_it_has_started(monitor: PerformanceMonitor) -> None:
    with monitor.request("r-1") as request:
        loop = contextvars.copy_context()

    def measure() -> dict[str, object] | None:
        with monitor.profile():
            predict()
        return monitor.get_metrics()

    assert loop.run(measure) is not None
    assert request.blocks == []


def test_a_stream_of_many_predictions_does_not_wait_for_its_end_to_log_them(
    monitor: PerformanceMonitor, emitted: list[Measurement]
) -> None:
    monitor.disable()
    light = PerformanceMonitor(emitted.append, enabled=True, sample_rate=0.0)
    with light.request("r-1") as request:
        for number in range(MOST_BLOCKS + 1):
            with light.profile():
                if number % 2:
                    with light.profile():
                        pass
        assert len(request.blocks) <= MOST_BLOCKS
        so_far = len(emitted)
        assert so_far > MOST_BLOCKS / 2
    # Each outermost block once, and the nested ones never.
    assert len(emitted) == MOST_BLOCKS + 1
    assert len({id(measurement) for measurement in emitted}) == MOST_BLOCKS + 1
    assert {measurement.transaction_id for measurement in emitted} == {"r-1"}


@pytest.mark.parametrize("metrics", ["abc", 5, [1]])
def test_what_are_no_metrics_is_no_error_of_the_request(
    monitor: PerformanceMonitor, emitted: list[Measurement], metrics: object
) -> None:
    monitor.log_metrics(metrics)  # type: ignore[arg-type]  # a mistake of the caller
    assert emitted == []


def test_a_block_that_is_entered_again_keeps_what_it_measured_first(monitor: PerformanceMonitor) -> None:
    block = monitor.profile()
    assert isinstance(block, Block)
    with block, block:
        assert block.is_open
    first = block.document()
    with block:
        predict()
    assert block.document()["inference_time_ms"] == first["inference_time_ms"]
    assert len(open_blocks) == 0
    # The one profiler of the process is free.
    with monitor.profile() as another:
        predict()
    assert isinstance(another, Block)
    assert another.document()["profiled"] is True


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (None, logging.INFO),
        (ValueError(), logging.ERROR),
        (HTTPException(422), logging.WARNING),
        (HTTPException(503), logging.ERROR),
        # Of the service behind it, which is no answer of this one.
        (type("UpstreamError", (Exception,), {"status_code": 404})(), logging.ERROR),
    ],
)
def test_a_prediction_that_failed_is_an_error_in_the_log_and_a_refused_one_a_warning(
    monitor: PerformanceMonitor, emitted: list[Measurement], error: Exception | None, level: int
) -> None:
    @monitor.profiled
    def answer() -> None:
        if error is not None:
            raise error

    with contextlib.suppress(Exception):
        answer()
    monitor.log_metrics(emitted[0].document())
    assert emitted[0].level == level
    # Of what is handed over as a mapping no more is known than the name.
    assert emitted[1].level == (logging.INFO if error is None else logging.ERROR)
