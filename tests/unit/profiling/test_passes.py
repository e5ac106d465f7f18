"""Stages and memory: shares that add up, repeated work, and a peak that RSS does not see."""

from __future__ import annotations

import tracemalloc

import pytest

from perfcli.profiling import SamplingPlan, run_profile
from perfcli.profiling.passes import (
    OUTSIDE,
    left_out,
    measure_cpu,
    measure_peak,
    repeated_work,
    summarise_stages,
)
from perfcli.records import CpuTime, Stage
from perfcli.targets.local import open_model
from perfcli.targets.protocol import StageTime

MIB = 2**20


def test_stages_are_medians_and_shares_of_the_whole_call():
    taken = [
        (0.010, {"features": StageTime(0.006, 1), "model": StageTime(0.003, 1)}),
        (0.020, {"features": StageTime(0.014, 1), "model": StageTime(0.004, 2)}),
    ]
    assert summarise_stages(taken, 2) == (
        Stage("features", pytest.approx(0.010), pytest.approx(20 / 30), 1.0),
        Stage("model", pytest.approx(0.0035), pytest.approx(7 / 30), 1.5),
        Stage(OUTSIDE, pytest.approx(0.0015), pytest.approx(3 / 30), 1.0),
    )


def test_a_call_that_lost_the_processor_does_not_shift_the_shares():
    usual = [(0.010 + number * 1e-5, {"model": StageTime(0.006, 1)}) for number in range(20)]
    held_up = [*usual[:7], (0.090, {"model": StageTime(0.020, 1)}), *usual[7:]]
    assert [stage.share for stage in summarise_stages(held_up, 1)] == pytest.approx([0.6, 0.4], abs=0.01)


def test_a_target_without_stages_has_none():
    assert summarise_stages([(0.010, {}), (0.012, {})], 1) == ()


def test_a_stage_that_some_payloads_skip_counts_as_nothing_there():
    taken = [(0.010, {"rare": StageTime(0.005, 1)}), (0.010, {}), (0.010, {})]
    rare = summarise_stages(taken, 3)[0]
    assert rare == Stage("rare", 0.0, pytest.approx(5 / 30), pytest.approx(1 / 3))


def test_repeated_work_is_named_with_its_price():
    taken = [(0.010, {"scale": StageTime(0.004, 2, repeated_s=0.002), "model": StageTime(0.003, 2)})] * 3
    (advice,) = repeated_work(taken)
    assert advice.code == "repeated_stage"
    assert advice.message == "scale ran again on the same input within one prediction: 2.00 ms, 20.0 % of the call."


def test_work_that_is_not_repeated_is_not_mentioned():
    assert repeated_work([(0.010, {"scale": StageTime(0.004, 2)})]) == ()


class ExpensiveClock:
    """To read it takes a microsecond of CPU time of this thread, and two of the process."""

    def __init__(self) -> None:
        self.thread_ns = 0

    def perf_counter_ns(self) -> int:
        raise AssertionError("CPU time does not depend on it")

    def thread_time_ns(self) -> int:
        self.thread_ns += 1000
        return self.thread_ns

    def process_time_ns(self) -> int:
        self.thread_ns += 1000
        return 2 * self.thread_ns


def test_the_cpu_time_of_a_call_shorter_than_reading_the_clock_is_known_to_a_thousandth():
    clock, made = ExpensiveClock(), []

    def call(number: int, cpu_ns: int) -> None:
        made.append(number)
        clock.thread_ns += cpu_ns

    cpu = measure_cpu([lambda: call(0, 100), lambda: call(1, 300)], 1e-6, clock)

    assert cpu == CpuTime(pytest.approx(200e-9, rel=1e-3), pytest.approx(400e-9, rel=1e-3))
    assert made == [0, 1] * 10_000


def test_a_profile_of_a_call_of_nanoseconds_has_its_cpu_time():
    result = run_profile(open_model("operator:truth", None, trust=False), [{}], SamplingPlan(runs=1)).result
    assert result.cpu is not None
    assert 0 < result.cpu.thread_s <= result.cpu.process_s


def test_a_transient_of_40_mib_is_the_peak():
    peak, _ = measure_peak([lambda: bytearray(40 * MIB) and None])
    assert peak is not None
    assert peak / MIB == pytest.approx(40, abs=1)
    assert not tracemalloc.is_tracing()


def test_the_peak_is_that_of_the_largest_payload():
    peak, _ = measure_peak([lambda: bytearray(MIB) and None, lambda: bytearray(8 * MIB) and None])
    assert peak is not None
    assert peak / MIB == pytest.approx(8, abs=0.5)


def test_somebody_elses_tracing_is_left_alone():
    tracemalloc.start()
    try:
        assert measure_peak([lambda: None]) == (None, ())
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_every_payload_is_visited_for_its_peak():
    calls = [lambda: None] * 80 + [lambda: bytearray(4 * MIB) and None]
    peak, advice = measure_peak(calls)
    assert peak is not None
    assert peak / MIB == pytest.approx(4, abs=0.5)
    assert advice == ()


def test_payloads_there_was_no_time_for_are_counted():
    (advice,) = left_out("stages", 5, 8)
    assert advice.message == "The stages are those of 5 of 8 payloads: there was no time for the others."
    assert left_out("stages", 8, 8) == ()


def test_tracing_ends_when_the_model_raises():
    def fail() -> None:
        raise RuntimeError("no memory today")

    with pytest.raises(RuntimeError):
        measure_peak([fail])
    assert not tracemalloc.is_tracing()
