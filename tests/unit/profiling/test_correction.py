"""The correction, on graphs whose true times are known because they were made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.profiling.call_graph import CallGraph, Node, Times
from perfcli.profiling.correction import CALLEE_SHARE, calibrate, correct

PRICE = 350e-9


def graph_of(true_self: dict[str, float], calls: dict[tuple[str, str], int], price: float = PRICE) -> CallGraph:
    """Make the graph that cProfile would see of a tree of functions; the first one is called once, from outside."""
    graph: CallGraph = {name: Node(name) for name in true_self}
    root = next(iter(true_self))
    received = dict.fromkeys(true_self, 0) | {root: 1}
    for (_, callee), count in calls.items():
        received[callee] += count
    for name, node in graph.items():
        made = sum(count for (caller, _), count in calls.items() if caller == name)
        node.times = Times(
            calls=received[name],
            self_s=true_self[name] + price * (CALLEE_SHARE * received[name] + (1 - CALLEE_SHARE) * made),
        )
    for name in reversed(list(graph)):  # callees stand after their callers
        node = graph[name]
        node.times.cumulative_s = node.times.self_s
        for (caller, callee), count in calls.items():
            if caller == name:
                seconds = graph[callee].times.cumulative_s * count / received[callee]
                node.callees[callee] = Times(calls=count, cumulative_s=seconds)
                node.times.cumulative_s += seconds
    return graph


TRUE_SELF = {"predict": 0.001, "features": 0.002, "scale": 0.003, "add": 0.0005}
CALLS = {("predict", "features"): 1, ("predict", "scale"): 2, ("features", "add"): 9000, ("scale", "add"): 1000}
TRUE_CUMULATIVE = {"predict": 0.0065, "features": 0.00245, "scale": 0.00305, "add": 0.0005}


def test_true_self_and_cumulative_times_come_back():
    # The outermost call is billed to nobody above it, so its caller's part of the price is missing in the sum.
    corrected = correct(graph_of(TRUE_SELF, CALLS), sum(TRUE_SELF.values()))
    for name, seconds in TRUE_SELF.items():
        assert corrected[name].self_s == pytest.approx(seconds, rel=2e-3)
        assert corrected[name].cumulative_s == pytest.approx(TRUE_CUMULATIVE[name], rel=2e-3)


def test_the_profile_itself_blames_the_wrong_function():
    graph = graph_of(TRUE_SELF, CALLS)
    seen = {name: node.times.self_s for name, node in graph.items()}
    assert max(seen, key=seen.__getitem__) == "features"
    corrected = correct(graph, sum(TRUE_SELF.values()))
    assert max(corrected, key=lambda name: corrected[name].self_s) == "scale"


def test_a_workload_that_pays_nothing_is_not_corrected():
    graph = graph_of(TRUE_SELF, CALLS, price=0.0)
    corrected = correct(graph, 1.0)
    assert {name: times.self_s for name, times in corrected.items()} == pytest.approx(TRUE_SELF)


@given(
    own=st.lists(st.floats(0, 0.01), min_size=2, max_size=8),
    counts=st.lists(st.integers(0, 20_000), min_size=8, max_size=8),
    plain=st.floats(1e-4, 0.1),
)
def test_the_sum_is_the_unprofiled_duration_and_no_time_is_negative(own, counts, plain):
    names = [f"f{number}" for number in range(len(own))]
    calls = {(names[0], name): count for name, count in zip(names[1:], counts, strict=False) if count}
    graph = graph_of(dict(zip(names, own, strict=True)), calls)
    seen = sum(node.times.self_s for node in graph.values())
    corrected = correct(graph, plain)
    assert all(times.self_s >= 0 and times.cumulative_s >= 0 for times in corrected.values())
    if any(times.self_s for times in corrected.values()):
        assert sum(times.self_s for times in corrected.values()) == pytest.approx(min(plain, seen))


def test_recursion_is_not_counted_twice():
    graph: CallGraph = {
        "outer": Node("outer", Times(calls=1, self_s=0.001, cumulative_s=0.011)),
        "walk": Node("walk", Times(calls=10, recursive_calls=9, self_s=0.010, cumulative_s=0.010)),
    }
    graph["outer"].callees["walk"] = Times(calls=1, cumulative_s=0.010)
    graph["walk"].callees["walk"] = Times(calls=9, recursive_calls=8, cumulative_s=0.009)
    corrected = correct(graph, 0.010)
    assert corrected["walk"].cumulative_s <= corrected["outer"].cumulative_s <= 0.010 + 1e-9


def test_the_price_of_a_call_is_found_in_the_pairs():
    found = calibrate([(plain, plain + 25_000 * PRICE) for plain in (0.005, 0.006, 0.00505, 0.007)], 25_000)
    assert found is not None
    assert found.seconds_per_call == pytest.approx(PRICE)
    assert found.trustworthy


def test_noise_makes_the_price_untrustworthy():
    plain = (0.005, 0.015, 0.004, 0.009, 0.005, 0.012)
    profiled = (0.009, 0.006, 0.014, 0.011, 0.016, 0.007)
    found = calibrate(list(zip(plain, profiled, strict=True)), 25_000)
    assert found is not None
    assert not found.trustworthy


def test_two_rounds_are_too_few_for_a_price():
    assert calibrate([(0.005, 0.01), (0.005, 0.01)], 1000) is None


def test_a_negative_price_is_no_price():
    found = calibrate([(0.6, 0.4)] * 4, 10)
    assert found is not None
    assert found.seconds_per_call < 0
    assert not found.trustworthy


def test_a_cost_that_is_lost_in_the_noise_is_negligible_beside_a_long_prediction_only():
    found = calibrate([(0.6, 0.6), (0.6, 0.6006), (0.6, 0.5995), (0.6, 0.6003)], 10)
    assert found is not None
    assert not found.trustworthy
    assert found.is_negligible(10, 0.6)
    assert not found.is_negligible(10, 0.01)
