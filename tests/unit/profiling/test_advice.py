"""Every warning: when it is given, and when it is not."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from perfcli.profiling.advice import (
    advise_on_latency,
    advise_on_payloads,
    advise_on_profiler,
    advise_on_start,
    advise_on_threads,
)
from perfcli.profiling.run import summarise_latency
from perfcli.records import CpuTime, Environment, Overhead

QUIET = [0.005 + 0.00001 * (number % 7) for number in range(100)]
ENVIRONMENT = Environment("0", "3.11.7", "Linux", None, 2, 2**33, 0.1, {}, {"openblas": 2}, None)
CORRECTED = Overhead(2.3, 350e-9, 340e-9, 360e-9, corrected=True, profiled_runs=20)


LATENCY = summarise_latency(QUIET)


def codes(samples: list[float], *, imprecise: bool = False, warm: bool = True) -> set[str]:
    given = advise_on_latency(summarise_latency(samples), samples, imprecise=imprecise, warm=warm, precision=0.02)
    return {advice.code for advice in given}


def test_a_quiet_run_needs_no_advice():
    assert codes(QUIET) == set()


def test_an_interruption_while_the_clock_is_tried_is_no_coarse_clock(monkeypatch):
    readings_ns = itertools.chain(range(0, 700, 50), itertools.count(10**9, 50))
    monkeypatch.setattr("perfcli.profiling.advice.time.perf_counter_ns", readings_ns.__next__)
    assert codes(QUIET) == set()


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("imprecise", codes(QUIET, imprecise=True)),
        ("not_warm", codes(QUIET, warm=False)),
        ("noisy_machine", codes([0.004, 0.005, 0.006, 0.007] * 25)),
        ("outliers", codes([*QUIET, 0.05, 0.06, 0.07])),
        ("few_runs", codes(QUIET[:50])),
        ("clock_resolution", codes([1e-7] * 100)),
    ],
)
def test_advice_on_durations(code, given):
    assert given == {code}


def test_a_single_payload_does_not_differ_from_others():
    samples = [*([0.004] * 50), *([0.006] * 50)]
    said = {
        payloads: [
            f"{advice.message} {advice.hint}"
            for advice in advise_on_latency(
                summarise_latency(samples), samples, imprecise=False, warm=True, precision=0.02, payloads=payloads
            )
            if advice.code == "noisy_machine"
        ]
        for payloads in (1, 2)
    }
    assert ["payload" in text for text in said[1]] == [False]
    assert ["payload" in text for text in said[2]] == [True]


def test_advice_names_its_figures():
    samples = [*QUIET, 0.05, 0.06, 0.07]
    (advice,) = advise_on_latency(summarise_latency(samples), samples, imprecise=False, warm=True, precision=0.02)
    assert advice.message == "3 of 103 calls are outliers (modified z-score over 3.5), up to 70.0 ms."


def test_a_slow_first_call_is_mentioned():
    latency = summarise_latency(QUIET)
    (advice,) = advise_on_start(latency, 0.0251)
    assert advice.code == "slow_first_call"
    assert "5.0 times" in advice.message
    assert list(advise_on_start(latency, 0.006)) == []


def test_a_profiler_that_could_not_run_is_mentioned():
    (advice,) = advise_on_profiler(CORRECTED, "Another profiling tool is already active")
    assert advice.code == "profiler_active"


def test_times_that_are_not_corrected_are_mentioned():
    assert list(advise_on_profiler(CORRECTED, "")) == []
    (advice,) = advise_on_profiler(dataclasses.replace(CORRECTED, corrected=False), "")
    assert advice.code == "not_corrected"


def test_thread_pools_beyond_the_processors_are_mentioned():
    crowded = dataclasses.replace(ENVIRONMENT, blas_threads={"openblas": 8, "openmp": 2})
    (advice,) = advise_on_threads(crowded, LATENCY, CpuTime(0.005, 0.005))
    assert advice.code == "oversubscribed"
    assert "openblas 8" in advice.message
    assert "openmp" not in advice.message


def test_payloads_that_were_not_measured_are_counted():
    (advice,) = advise_on_payloads(3, 8)
    assert advice.message == "Only 3 of 8 payloads were measured before the time was over."
    assert list(advise_on_payloads(8, 8)) == []


def test_a_profiler_that_costs_nothing_leaves_nothing_to_correct():
    free = dataclasses.replace(CORRECTED, corrected=False, ratio=1.02)
    assert list(advise_on_profiler(free, "")) == []


def test_clock_noise_is_no_parallel_work():
    assert list(advise_on_threads(ENVIRONMENT, LATENCY, CpuTime(87e-6, 118e-6))) == []


def test_parallel_work_is_mentioned():
    (advice,) = advise_on_threads(ENVIRONMENT, LATENCY, CpuTime(0.005, 0.009))
    assert advice.code == "parallel"
    assert "1.8 times" in advice.message
    assert list(advise_on_threads(ENVIRONMENT, LATENCY, CpuTime(0.005, 0.0052))) == []
