"""The sampler, on a clock that moves only when a call says so."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from perfcli.monitor.functions import describe
from perfcli.profiling.functions import function_profile
from perfcli.profiling.sampling import MAX_SETTLING_CALLS, MIN_ROUNDS, Sampler, SamplingPlan


class FakeClock:
    """Time that passes only in calls."""

    def __init__(self) -> None:
        self.wall_ns = 0
        self.cpu_ns = 0

    def perf_counter_ns(self) -> int:
        return self.wall_ns

    def thread_time_ns(self) -> int:
        return self.cpu_ns

    def process_time_ns(self) -> int:
        return 3 * self.cpu_ns


class Model:
    """Takes what it is told, and longer under a profiler and for some calls after it."""

    def __init__(self, clock: FakeClock, call_ms: float = 5.0, wake_ms: float = 0.0) -> None:
        self.clock = clock
        self.call_ms = call_ms
        self.wake_ms = wake_ms
        self.after_profiler = MAX_SETTLING_CALLS
        self.plain = 0
        self.profiled = 0

    def __call__(self) -> None:
        duration_ms = self.call_ms
        if profiler_is_on():
            self.profiled += 1
            self.after_profiler = 0
            duration_ms *= 3
        else:
            self.plain += 1
            if self.after_profiler < MAX_SETTLING_CALLS:
                duration_ms += self.wake_ms
            self.after_profiler += 1
        self.clock.wall_ns += round(duration_ms * 1e6)
        self.clock.cpu_ns += round(duration_ms * 1e6 / 2)


def profiler_is_on() -> bool:
    if sys.version_info >= (3, 12):
        return sys.monitoring.get_tool(sys.monitoring.PROFILER_ID) is not None
    return sys.getprofile() is not None


def sampler(model: Model, **plan: object) -> Sampler:
    return Sampler([model], SamplingPlan(seed=1, **plan), lambda: 0, model.clock)  # type: ignore[arg-type]


def test_calls_that_suffer_from_the_profiler_before_them_are_not_counted():
    model = Model(FakeClock(), call_ms=5.0, wake_ms=1.0)
    measuring = sampler(model, max_time_s=5.0, min_runs=10_000)
    measuring.warm_up()
    list(measuring.run())
    assert model.profiled > 0
    assert set(measuring.walls_s) == {0.005}


def test_a_number_of_runs_is_counted_exactly():
    measuring = sampler(Model(FakeClock()), runs=37)
    measuring.warm_up()
    list(measuring.run())
    assert len(measuring.walls_s) == 37


def test_no_call_starts_after_the_time_is_over():
    model = Model(FakeClock(), call_ms=30.0)
    measuring = sampler(model, max_time_s=2.0, min_runs=10_000)
    measuring.warm_up()
    list(measuring.run())
    assert 2.0 <= measuring.elapsed_s <= 2.0 + 3 * 0.030


def test_one_call_is_counted_however_slow_the_model():
    model = Model(FakeClock(), call_ms=60_000)
    measuring = sampler(model, max_time_s=1.0)
    measuring.warm_up()
    list(measuring.run())
    assert len(measuring.walls_s) >= 1


def test_measuring_ends_when_the_median_is_known():
    measuring = sampler(Model(FakeClock()), min_runs=100)
    measuring.warm_up()
    list(measuring.run())
    assert measuring.precise()
    assert not measuring.gave_up
    assert MIN_ROUNDS <= len(measuring.rounds) <= MIN_ROUNDS + 1
    assert len(measuring.walls_s) >= 100


def test_a_run_that_stays_imprecise_says_so():
    clock = FakeClock()
    model = Model(clock)
    durations = iter(range(1, 100_000))

    def ever_slower() -> None:
        model.call_ms = 1.0 + next(durations) * 0.5
        model()

    measuring = Sampler([ever_slower], SamplingPlan(max_time_s=10.0, seed=1), lambda: 0, clock)
    assert not measuring.warm_up()
    list(measuring.run())
    assert measuring.gave_up


def test_cpu_time_is_that_of_the_counted_calls_alone():
    measuring = sampler(Model(FakeClock(), call_ms=5.0, wake_ms=1.0), runs=100)
    measuring.warm_up()
    list(measuring.run())
    for block in measuring.rounds:
        assert block.thread_s == pytest.approx(0.0025 * len(block.walls_s))
        assert block.process_s == pytest.approx(0.0075 * len(block.walls_s))


@pytest.mark.parametrize("payloads", [2, 3, 7, 32])
@pytest.mark.parametrize("call_ms", [2, 60, 400])
def test_every_payload_counts_as_often_whatever_the_size_of_the_blocks(payloads, call_ms):
    clock = FakeClock()
    durations_ns = [call_ms * 1_000_000 + number for number in range(payloads)]

    def call(number: int) -> None:
        clock.wall_ns += durations_ns[number]

    calls = [partial(call, number) for number in range(payloads)]
    measuring = Sampler(calls, SamplingPlan(runs=6 * payloads, seed=1), lambda: 0, clock)
    measuring.warm_up()
    list(measuring.run())
    counted = Counter(round(wall_s * 1e9) for wall_s in measuring.walls_s)
    assert counted == dict.fromkeys(durations_ns, 6)
    assert [round(wall_s * 1e9) for wall_s in measuring.walls_s[:payloads]] == durations_ns
    assert measuring.payloads_counted == payloads


@pytest.mark.parametrize("payloads", [2, 5, 7])
def test_every_payload_is_profiled_as_often(payloads):
    clock = FakeClock()

    def call(_number: int) -> None:
        clock.wall_ns += 5_000_000

    calls = [partial(call, number) for number in range(payloads)]
    functions = [partial(_named, number, work) for number, work in enumerate(calls)]
    measuring = Sampler(functions, SamplingPlan(runs=300, seed=1), lambda: 0, clock)
    measuring.warm_up()
    list(measuring.run())
    graph, overhead, _ = function_profile(measuring.rounds, payloads)
    depth = Counter(node.times.calls for code, node in graph.items() if describe(code)[0].startswith("_work_"))
    assert depth == {overhead.profiled_runs // payloads: payloads}


def _work_0(work: Callable[[], None]) -> None:
    work()


def _work_1(work: Callable[[], None]) -> None:
    work()


def _work_2(work: Callable[[], None]) -> None:
    work()


def _work_3(work: Callable[[], None]) -> None:
    work()


def _work_4(work: Callable[[], None]) -> None:
    work()


def _work_5(work: Callable[[], None]) -> None:
    work()


def _work_6(work: Callable[[], None]) -> None:
    work()


def _named(number: int, work: Callable[[], None]) -> None:
    (_work_0, _work_1, _work_2, _work_3, _work_4, _work_5, _work_6)[number](work)


def test_a_model_slower_than_the_time_is_called_three_times():
    model = Model(FakeClock(), call_ms=2000)
    measuring = sampler(model, max_time_s=3.0)
    measuring.first_call()
    measuring.warm_up()
    list(measuring.run())
    assert (model.plain, model.profiled) == (2, 1)
    assert measuring.walls_s == [2.0]


def test_one_run_of_a_model_that_takes_seconds_is_four_calls():
    model = Model(FakeClock(), call_ms=3000)
    measuring = sampler(model, runs=1)
    measuring.first_call()
    measuring.warm_up()
    list(measuring.run())
    # The first call, one of warm-up, the one that counts, and one for the functions.
    assert (model.plain, model.profiled) == (3, 1)
    assert measuring.walls_s == [3.0]
    assert [len(calls.walls_s) for round_ in measuring.rounds for calls in round_.profiled] == [1]
    (calls,) = measuring.rounds[0].profiled
    assert not any("append" in str(entry.code) for entry in calls.entries)


def test_a_steady_model_is_known_from_few_calls():
    measuring = sampler(Model(FakeClock(), call_ms=50), max_time_s=3.0)
    measuring.warm_up()
    list(measuring.run())
    assert 6 <= len(measuring.walls_s) < 100
    assert not measuring.gave_up


def test_an_interrupted_run_keeps_what_it_measured():
    clock = FakeClock()
    calls_left = iter(range(60))

    def call() -> None:
        if next(calls_left) == 59:
            raise KeyboardInterrupt
        clock.wall_ns += 5_000_000

    measuring = Sampler([call], SamplingPlan(seed=1), lambda: 0, clock)
    measuring.warm_up()
    with pytest.raises(KeyboardInterrupt):
        list(measuring.run())
    assert 0 < len(measuring.walls_s) < 60
    assert not profiler_is_on()


def test_a_model_that_raises_leaves_no_profiler_running():
    clock = FakeClock()

    def call() -> None:
        if profiler_is_on():
            raise RuntimeError("the model fails")
        clock.wall_ns += 5_000_000

    measuring = Sampler([call], SamplingPlan(seed=1), lambda: 0, clock)
    measuring.warm_up()
    with pytest.raises(RuntimeError, match="the model fails"):
        list(measuring.run())
    assert not profiler_is_on()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before 3.12 profilers do not exclude each other")
def test_another_profiler_costs_the_functions_but_not_the_durations():
    import cProfile

    other = cProfile.Profile()
    measuring = sampler(Model(FakeClock()), runs=20)
    other.enable()
    try:
        measuring.warm_up()
        list(measuring.run())
    finally:
        other.disable()
    assert len(measuring.walls_s) == 20
    assert "profiling tool" in measuring.profiler_refused
    assert not any(block.profiled for block in measuring.rounds)


def _in_another_thread(rounds: int) -> None:
    for _ in range(rounds):
        _named(1, lambda: None)


def _starts_a_thread(clock: FakeClock) -> None:
    thread = threading.Thread(target=_in_another_thread, args=(50,))
    thread.start()
    thread.join()
    _work_0(lambda: None)
    clock.wall_ns += 5_000_000


def test_functions_of_other_threads_are_not_in_the_profile():
    clock = FakeClock()
    measuring = Sampler([partial(_starts_a_thread, clock)], SamplingPlan(runs=24, seed=1), lambda: 0, clock)
    measuring.warm_up()
    list(measuring.run())
    _, _, functions = function_profile(measuring.rounds, 1)
    calls = {function.function: function.calls for function in functions}
    assert calls["_work_0"] == 1
    assert calls["Thread.start"] == 1
    assert {"_in_another_thread", "_work_1", "Thread.run"}.isdisjoint(calls)


def test_a_thread_that_waits_is_shut_out_too():
    clock, go, done, stop = FakeClock(), threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def serve() -> None:
        while go.acquire() and not stop.is_set():
            _in_another_thread(50)
            done.release()

    def call() -> None:
        go.release()
        done.acquire()
        clock.wall_ns += 5_000_000

    thread = threading.Thread(target=serve)
    thread.start()
    measuring = Sampler([call], SamplingPlan(runs=24, seed=1), lambda: 0, clock)
    try:
        measuring.warm_up()
        list(measuring.run())
    finally:
        stop.set()
        go.release()
        thread.join()
    names = {function.function for function in function_profile(measuring.rounds, 1)[2]}
    assert "Semaphore.acquire" in names
    assert {"_in_another_thread", "_work_1"}.isdisjoint(names)


def test_without_profiling_no_call_is_profiled():
    model = Model(FakeClock())
    measuring = sampler(model, runs=30, profiled=False)
    measuring.warm_up()
    list(measuring.run())
    assert model.profiled == 0
