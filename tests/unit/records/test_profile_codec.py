"""A profile to JSON and back: nothing is lost, and nothing that was not measured becomes a number."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import pytest

from perfcli.records import (
    Advice,
    CpuTime,
    Environment,
    FunctionTime,
    LatencySummary,
    MemoryUse,
    Overhead,
    PerformanceMetrics,
    Phase,
    ProfileResult,
    ServerView,
    Stage,
    TargetDescription,
    TopFunction,
)
from perfcli.records.call_tree import CallNode
from perfcli.records.codec import decode, encode

FUNCTION = FunctionTime("f", "package/module.py", 12, 2.5, 0.001, 0.002, 0.003, 0.004, 0.25, "caller")
METRICS = PerformanceMetrics(
    0.0055, 0.0054, 200 * 2**20, 4096, 25000, 0.006, (TopFunction("f", "m.py", 3, 0.002, 0.001, 2),)
)
FULL = ProfileResult(
    target=TargetDescription("remote", "http://127.0.0.1:8000/predict", "POST", 2, 1, "ab" * 32),
    environment=Environment(
        "0.1.0", "3.11.7", "Linux", "CPU", 2, 2**34, 0.5, {"numpy": "2"}, {"openblas": 2}, "c0ffee"
    ),
    started_at="2026-11-22T23:00:00.000+00:00",
    measured_s=1.25,
    latency=LatencySummary(0.005, 0.0049, 0.0051, 0.0052, 0.006, None, 0.0045, 0.009, 100),
    cold_start_s=0.024,
    load_s=1.1,
    cpu=CpuTime(0.0049, 0.0052),
    memory=MemoryUse(200 * 2**20 + 1, -4096, 2**20 + 7),
    overhead=Overhead(2.3, 350e-9, 340e-9, 360e-9, corrected=True, profiled_runs=24),
    stages=(Stage("scaler", 0.001, 0.2, 1.0),),
    phases=(Phase("connect", 0.0005, None), Phase("wait", 0.004, 0.0035)),
    functions=(FUNCTION,),
    function_calls=25000,
    samples_s=(0.005, 0.0051),
    server=ServerView({"total": 0.0045}, METRICS, 100, (replace(FUNCTION, records=12),), 40, log_refused=True),
    warnings=(Advice("outliers", "3 of 100 calls are outliers.", "Look at the p95."),),
    partial=False,
    call_tree=(
        CallNode("(prediction)", "", 0, False, 0, 1.0, 0.0, 0.005),
        CallNode("f", "package/module.py", 12, False, 1, 1.0, 0.001, 0.005),
        CallNode("f", "package/module.py", 12, False, 2, 2.5, 0.004, 0.004),
    ),
)
EMPTY = ProfileResult(FULL.target, FULL.environment, FULL.started_at, FULL.measured_s, partial=True)


@pytest.mark.parametrize("result", [FULL, EMPTY], ids=["full", "empty"])
def test_a_record_comes_back_as_it_was(result):
    document = json.loads(json.dumps(encode(result), allow_nan=False))
    assert document["schema"] == "perfcli/profile/1"
    assert decode(document) == result


def test_keys_carry_their_unit():
    document = encode(FULL)
    assert document["latency_ms"] == {
        "median": 5.0, "ci_low": 4.9, "ci_high": 5.1, "mean": 5.2, "p95": 6.0, "p99": None, "min": 4.5, "max": 9.0,
        "runs": 100,
    }  # fmt: skip
    assert document["cold_start_ms"] == 24.0
    assert document["overhead"]["ns_per_call"] == 350.0  # type: ignore[index]
    assert document["memory_mb"]["peak"] == pytest.approx(1, abs=1e-4)  # type: ignore[index]


def test_what_was_not_measured_is_null():
    document = encode(EMPTY)
    for key in ("latency_ms", "cold_start_ms", "load_ms", "cpu_time_ms", "memory_mb", "performance_metrics", "server"):
        assert document[key] is None


def test_the_metrics_of_a_remote_api_are_its_own_but_the_latency_is_the_client_s():
    metrics = FULL.performance_metrics()
    assert metrics is not None
    assert metrics.top_functions == METRICS.top_functions
    assert metrics.inference_time_s == METRICS.inference_time_s
    assert metrics.latency_s == 0.0055  # the client's median is 5 ms: a latency below the inference would be nonsense


def test_the_metrics_of_a_local_model_are_medians_of_unprofiled_calls():
    metrics = dataclasses.replace(FULL, server=None).performance_metrics()
    assert metrics == PerformanceMetrics(
        0.005,
        0.0049,
        200 * 2**20 + 1,
        -4096,
        25000,
        0.005,
        (TopFunction("f", "package/module.py", 12, 0.002, 0.001, 2),),
    )


def test_a_record_of_an_earlier_version_has_no_call_tree():
    document = encode(FULL)
    del document["call_tree"]
    assert decode(document) == dataclasses.replace(FULL, call_tree=None)


def test_a_call_tree_names_each_function_once():
    tree = encode(FULL)["call_tree"]
    assert [function["function"] for function in tree["functions"]] == ["(prediction)", "f"]  # type: ignore[index]
    assert tree["nodes"][2] == [2, 1, 2.5, 4.0, 4.0]  # type: ignore[index]


def test_keys_of_a_later_version_are_ignored():
    document = encode(FULL)
    document["added_later"] = 1
    document["environment"]["added_later"] = 2  # type: ignore[index]
    assert decode(document) == FULL


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({}, "unknown schema None"),
        ({"schema": "perfcli/unheard-of/1"}, "perfcli/profile/1"),
        ({"schema": "perfcli/profile/1"}, "KeyError"),
        ({**encode(FULL), "latency_ms": 5}, "not a perfcli/profile/1 record"),
    ],
)
def test_what_is_no_record_is_refused(document, part):
    with pytest.raises(ValueError, match=part):
        decode(document)


def test_the_growth_of_memory_that_nobody_looked_at_stays_unknown():
    assert FULL.server is not None
    metrics = dataclasses.replace(METRICS, memory_delta_bytes=None)
    result = dataclasses.replace(FULL, server=dataclasses.replace(FULL.server, metrics=metrics))
    document = encode(result)
    assert document["server"]["performance_metrics"]["memory_delta_mb"] is None  # type: ignore[index]
    assert decode(document) == result
