"""The call tree, on calls whose times are known because a clock made by hand counts them."""

from __future__ import annotations

import cProfile
import json
import sys
import time

import pytest

from perfcli.monitor.functions import describe
from perfcli.profiling.call_graph import CallGraph, Node, Times, entries_of, merge
from perfcli.profiling.call_tree import DEEPEST, call_tree
from perfcli.profiling.stacks import MAX_CALLS, StackRecorder, record_stacks
from perfcli.records import FunctionTime
from perfcli.records.call_tree import OTHER, CallNode


class Clock:
    """Time passes only where `work` is called."""

    def __init__(self) -> None:
        self.now_ns = 0

    def read(self) -> int:
        return self.now_ns


CLOCK = Clock()


def c(seconds):
    CLOCK.now_ns += seconds * 10**9


def d(seconds):
    CLOCK.now_ns += seconds * 10**9


def a(c_seconds, d_seconds):
    c(c_seconds)
    d(d_seconds)


def b():
    a(1, 4)


def root():
    """tuna's example of what pairs of caller and callee cannot tell: `a` works differently when `b` calls it."""
    a(4, 1)
    b()


def recursive(times):
    c(1)
    if times > 1:
        recursive(times - 1)


def raises():
    try:
        c(1)
        {}["missing"]
    except KeyError:
        d(1)


def generates():
    yield c(1)
    yield d(1)


def consumes():
    for _ in generates():
        pass


def sorts():
    return sorted([3, 1, 2]), [].append(1), {}.get(1), str.upper("a")


def record(call, times=1):
    recorder = StackRecorder(CLOCK.read)
    for _ in range(times):
        with recorder:
            call()
    return recorder


def tree_of(call, self_s, times=1):
    """Return the tree of a call, given how long each function takes."""
    profiler = cProfile.Profile(CLOCK.read, 1e-9)
    profiler.enable()
    call()
    profiler.disable()
    return tree_of_recorded(record(call, times), merge([entries_of(profiler)]), self_s)


def tree_of_recorded(recorder, graph, self_s):
    """Return the tree of a recording and a profile."""
    seen_s = {describe(code): node.times.self_s for code, node in graph.items()}
    functions = [
        FunctionTime(*label, 1, seconds, 0, seen_s.get(label, 0.0), 0, 0)
        for label, seconds in ((describe(function.__code__), seconds) for function, seconds in self_s.items())
    ]
    return call_tree(recorder, graph, functions)


def seconds_by_path(tree):
    """Return cumulative seconds by `root/a/c`, the node for the whole left out."""
    path: list[str] = []
    found = {}
    for node in tree[1:]:
        path[node.depth - 1 :] = [node.function]
        found["/".join(path)] = node.cumulative_s
    return found


def test_each_path_has_its_own_time():
    tree = tree_of(root, {root: 0, a: 0, b: 0, c: 5, d: 5})
    assert seconds_by_path(tree) == pytest.approx(
        {
            "root": 10, "root/a": 5, "root/a/c": 4, "root/a/d": 1,
            "root/b": 5, "root/b/a": 5, "root/b/a/d": 4, "root/b/a/c": 1,
        }
    )  # fmt: skip
    assert tree[0].function == "(prediction)"
    assert tree[0].cumulative_s == pytest.approx(10)


def test_what_a_function_calls_follows_it_the_most_expensive_first():
    tree = tree_of(root, {root: 0, a: 0, b: 0, c: 5, d: 5})
    assert [(node.depth, node.function) for node in tree if node.function in "cd"] == [
        (3, "c"), (3, "d"), (4, "d"), (4, "c"),
    ]  # fmt: skip


def test_times_are_per_prediction_and_those_of_the_table_of_functions():
    tree = tree_of(root, {root: 0, a: 0, b: 0, c: 8, d: 2}, times=3)
    found = seconds_by_path(tree)
    assert found["root/a/c"] == pytest.approx(6.4)
    assert found["root/b/a/c"] == pytest.approx(1.6)
    assert found["root/a/d"] == pytest.approx(0.4)
    assert {node.calls for node in tree} == {1.0}


def test_the_cost_of_the_recorder_does_not_shift_time_to_what_is_called_more_often():
    def cheap_from_here():
        for _ in range(1000):
            c(0)
        c(1)

    def dear_from_here():
        c(1)

    def both():
        cheap_from_here()
        dear_from_here()

    recorder = record(both)
    # As if each of the 1005 calls had cost a millisecond, one half in the caller and one in the callee.
    for place in recorder.root.walk():
        place.self_ns += (place.calls + place.calls_made) * 500_000
    recorder.root.self_ns = 0
    functions = (both, cheap_from_here, dear_from_here, c)
    graph: CallGraph = {function.__code__: Node(function.__code__) for function in functions}
    graph[c.__code__].times = Times(calls=1002, self_s=2.0)
    tree = tree_of_recorded(recorder, graph, {both: 0, cheap_from_here: 0, dear_from_here: 0, c: 2})
    seconds = [node.cumulative_s for node in tree if node.function == "c"]
    assert seconds == pytest.approx([1, 1], rel=1e-3)


def test_time_of_functions_that_were_not_recorded_is_not_lost():
    tree = tree_of(b, {b: 0, a: 0, c: 1, d: 4, root: 1})
    assert tree[0].cumulative_s == pytest.approx(6)


def test_recursion_is_a_path_of_its_own():
    tree = tree_of(lambda: recursive(3), {recursive: 0, c: 3})
    found = seconds_by_path(tree)
    nested = [seconds for path, seconds in found.items() if path.endswith("recursive")]
    assert nested == pytest.approx([3, 2, 1])


def test_very_deep_recursion_ends_in_a_sum():
    tree = tree_of(lambda: recursive(400), {recursive: 0, c: 400})
    assert max(node.depth for node in tree) == DEEPEST + 1
    assert tree[0].cumulative_s == pytest.approx(400)
    assert sum(node.self_s for node in tree) == pytest.approx(400)


def test_exceptions_and_generators_leave_the_stack_as_it_was():
    def outer():
        raises()
        consumes()

    tree = tree_of(outer, {outer: 0, raises: 0, consumes: 0, generates: 0, c: 2, d: 2})
    found = seconds_by_path(tree)
    outermost = next(iter(found))
    assert found[f"{outermost}/raises"] == pytest.approx(2)
    assert found[f"{outermost}/consumes/generates/d"] == pytest.approx(1)


def test_what_is_tiny_is_summed_up():
    def many():
        d(1)
        c(0)

    tree = tree_of(many, {many: 0, d: 0.9995, c: 0.0005})
    other = tree[-1]
    assert other == CallNode(OTHER, "", 0, True, 2, 1.0, pytest.approx(0.0005), pytest.approx(0.0005))


def test_builtins_have_the_names_of_the_table_of_functions():

    profiler = cProfile.Profile()
    profiler.enable()
    sorts()
    profiler.disable()
    names = {describe(entry.code) for entry in entries_of(profiler)}
    recorder = record(sorts)
    assert {describe(place.code) for place in recorder.root.walk() if place.code} == names
    assert ("dict.get", "", 0) in names


def test_the_reader_s_own_code_is_no_library():
    def own():
        json.dumps([1])

    tree = tree_of(own, {own: 1, json.dumps: 1})
    library = {node.function.rpartition(".")[2]: node.library for node in tree[1:]}
    assert (library["own"], library["dumps"]) == (False, True)


def test_nobody_else_s_profiler_is_pushed_aside():
    def theirs(*_):
        return None

    sys.setprofile(theirs)
    try:
        assert record_stacks([root]) is None
        assert sys.getprofile() is theirs
    finally:
        sys.setprofile(None)


def test_an_exception_of_the_model_leaves_no_profiler_behind():
    def fails():
        raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column"):
        record_stacks([fails])
    assert sys.getprofile() is None


def test_recordings_add_up_to_that_of_all_predictions():
    whole = record(root)
    whole.add(record(b))
    whole.add(record(root))
    assert whole.predictions == 3
    assert whole.recorded_ns == 25 * 10**9
    root_place, b_place = whole.root.callees.values()
    assert [(place.code.co_name, place.calls) for place in (root_place, b_place)] == [("root", 2), ("b", 1)]
    assert [place.calls for place in root_place.callees[b.__code__].walk()] == [2, 2, 2, 2]


def test_a_prediction_that_was_held_up_is_no_part_of_the_tree(monkeypatch):
    # Of a machine that stands still for a second, there would be too few to tell what is usual.
    monkeypatch.setattr("perfcli.profiling.stacks.PASS_TIME_S", 60.0)
    calls = iter(range(100))

    def held_up_once():
        if next(calls) == 3:
            time.sleep(0.05)
        return sorted(range(10))

    recorder = record_stacks([held_up_once])
    assert 6 <= recorder.predictions < MAX_CALLS
    assert recorder.recorded_ns < 50e6
