"""What cProfile saw, against pstats, which reads the same profiles in its own way."""

from __future__ import annotations

import cProfile
import json
import pstats
from pathlib import Path

import pytest

from perfcli.monitor.functions import describe
from perfcli.profiling import SamplingPlan, run_profile
from perfcli.profiling.call_graph import CallGraph, entries_of, main_callers, merge, write_pstats
from perfcli.targets.local import open_model

STOP = ("~", 0, "<method 'disable' of '_lsprof.Profiler' objects>")


def leaf(values: list[int]) -> int:
    values.append(len(values))
    return sum(values)


def branch() -> int:
    values: list[int] = []
    return leaf(values) + leaf(values)


def stop_below(profile: cProfile.Profile) -> None:
    leaf([])
    profile.disable()


def recursive(depth: int) -> int:
    return branch() if depth == 0 else recursive(depth - 1)


def profiles(count: int = 3) -> list[cProfile.Profile]:
    made = []
    for _ in range(count):
        profile = cProfile.Profile()
        profile.enable()
        recursive(4)
        json.dumps({"a": [1, 2, 3]})
        profile.disable()
        made.append(profile)
    return made


def node(graph: CallGraph, name: str):
    return next(node for code, node in graph.items() if describe(code)[0] == name)


def test_totals_are_those_of_pstats_without_the_call_that_stops_the_profiler():
    made = profiles()
    graph = merge(map(entries_of, made))
    truth = pstats.Stats(*made)
    stop = truth.stats[STOP]  # type: ignore[attr-defined]
    assert sum(node.times.calls for node in graph.values()) == truth.total_calls - stop[1]
    assert sum(node.times.self_s for node in graph.values()) == pytest.approx(truth.total_tt - stop[2])


def test_calls_and_recursion_are_counted():
    graph = merge(map(entries_of, profiles()))
    assert node(graph, "recursive").times.calls == 3 * 5
    assert node(graph, "recursive").times.recursive_calls == 3 * 4
    assert node(graph, "leaf").times.calls == 3 * 2
    assert node(graph, "branch").calls_made == 3 * 2


def test_a_written_profile_reads_like_the_profiles_themselves(tmp_path: Path):
    made = profiles()
    write_pstats(merge(map(entries_of, made)), tmp_path / "run.prof")
    ours = pstats.Stats(str(tmp_path / "run.prof")).stats  # type: ignore[attr-defined]
    truth = pstats.Stats(*made).stats  # type: ignore[attr-defined]
    del truth[STOP]
    assert set(ours) == set(truth)
    for function, (primitive, calls, own, cumulative, callers) in truth.items():
        assert ours[function][:2] == (primitive, calls)
        assert ours[function][2:4] == pytest.approx((own, cumulative))
        assert set(ours[function][4]) == set(callers)


def test_what_is_left_out_is_no_callee(tmp_path: Path):
    """Where threads are profiled together, the call that stops the profiler can end up below any function."""
    profile = cProfile.Profile()
    profile.enable()
    stop_below(profile)
    graph = merge([entries_of(profile)])
    write_pstats(graph, tmp_path / "run.prof")
    callees = {describe(code)[0] for node in graph.values() for code in node.callees}
    assert callees == {"leaf", "len", "list.append", "sum"}


def test_builtins_have_their_real_names():
    graph = merge(map(entries_of, profiles(1)))
    names = {describe(code)[0] for code in graph}
    assert {"list.append", "len", "sum"} <= names
    assert describe("<built-in method numpy.array>") == ("numpy.array", "", 0)
    assert describe("<built-in method builtins.len>") == ("len", "", 0)


def test_files_are_relative_to_where_they_were_imported_from():
    graph = merge(map(entries_of, profiles(1)))
    assert describe(node(graph, "JSONEncoder.encode").code)[1:] == (
        "json/encoder.py",
        json.JSONEncoder.encode.__code__.co_firstlineno,
    )


def test_the_main_caller_is_the_one_that_waits_longest():
    graph = merge(map(entries_of, profiles(1)))
    callers = main_callers(graph)
    assert describe(callers[node(graph, "leaf").code])[0] == "branch"
    assert describe(callers[node(graph, "list.append").code])[0] == "leaf"
    assert node(graph, "recursive").code not in callers


def test_what_leads_to_the_model_is_neither_a_function_nor_a_place_in_the_tree():
    target = open_model(f"{__name__}:predict", None, trust=False)
    result = run_profile(target, [{}], SamplingPlan(runs=3)).result
    assert {function.function for function in result.functions} == {"predict", "leaf", "list.append", "len", "sum"}
    assert result.function_calls == 5
    assert result.call_tree is not None
    assert [(node.function, node.depth) for node in result.call_tree[:2]] == [("(prediction)", 0), ("predict", 1)]


def predict(_payload: object) -> int:
    return leaf([])
