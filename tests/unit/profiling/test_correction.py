"""The correction, on graphs whose true times are known: because they were made up, or from other clocks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.profiling.call_graph import CallGraph, Node, Times
from perfcli.profiling.correction import calibrate, correct, paid_calls, without_profiler

PRICE = 1e-6
RECORDED = [json.loads(line) for line in Path(__file__).with_name("recorded_stages.jsonl").read_text().splitlines()]


def share_errors(recorded, own):
    """Return by how many points the share of each stage differs from that of its unprofiled duration."""
    left = [0.0] * len(recorded["stages"])
    for (stage, _, _), self_us in zip(recorded["functions"], own, strict=True):
        left[stage] += self_us
    truth = recorded["plain_us"]
    return [abs(100 * mine / sum(left) - 100 * plain / sum(truth)) for mine, plain in zip(left, truth, strict=True)]


def corrected(recorded):
    return without_profiler(
        [(self_us, calls) for _, self_us, calls in recorded["functions"]], sum(recorded["plain_us"])
    )


def largest_errors(correction):
    """Return for each recorded workload the error of its worst stage."""
    return [max(share_errors(recorded, correction(recorded))) for recorded in RECORDED]


def test_recorded_stages_have_about_the_share_that_they_have_without_a_profiler():
    # Rows of pandas, forests, texts, compiled code and small calls, as bench_correction.py records them.
    assert len(RECORDED) == 10
    errors = largest_errors(corrected)
    assert fmean(errors) < 3
    assert max(errors) < 6
    assert fmean(largest_errors(lambda recorded: [self_us for _, self_us, _ in recorded["functions"]])) > 5


def test_the_price_of_a_call_grows_with_the_time_for_it():
    # At a price of 1: of 4 for 4 calls 4 / (1 + log(3) / 2) is left, of 100 for one call nearly 99, of 5 for none 5.
    wanted = [4 / (1 + math.log(3) / 2), 100 / (1 + math.log(1.02) / 2), 5.0]
    left = without_profiler([(4.0, 4.0), (100.0, 1.0), (5.0, 0.0)], sum(wanted))
    assert left == pytest.approx(wanted, rel=1e-4)
    assert left[1] == pytest.approx(99, rel=1e-3)


def test_next_to_no_cost_is_next_to_nothing_less():
    left = without_profiler([(1.0, 1.0), (2.0, 1.0), (0.0, 5.0)], 2.999)
    assert sum(left) == pytest.approx(2.999)
    assert left == pytest.approx([1.0, 2.0, 0.0], abs=1e-3)


def test_the_correction_knows_no_unit_and_no_machine():
    functions = [(4e-6, 4.0), (9e-6, 1.0), (2e-6, 8.0)]
    once = without_profiler(functions, 5e-6)
    slower = without_profiler([(self_s * 1000, calls) for self_s, calls in functions], 5e-3)
    assert slower == pytest.approx([self_s * 1000 for self_s in once], rel=1e-6)


def test_what_other_programs_took_is_taken_from_all_alike():
    graph: CallGraph = {"a": Node("a", Times(calls=1, self_s=3.0, cumulative_s=3.0))}
    graph["b"] = Node("b", Times(calls=1000, self_s=1.0, cumulative_s=1.0))
    # Undisturbed they would have taken 2 seconds instead of 4: nothing is left that calls could have cost.
    freed = correct(graph, plain_s=2.0, profiled_s=2.0)
    assert {name: times.self_s for name, times in freed.items()} == pytest.approx({"a": 1.5, "b": 0.5})


def with_cost(true_s: float, price: float, calls: float) -> float:
    """Return what cProfile shows of a function, by iteration: the t that the correction leaves true_s of."""
    seen_s = true_s
    for _ in range(200):
        seen_s = true_s * (1 + math.log1p(2 * price * calls / seen_s) / 2) if seen_s else 0.0
    return seen_s


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
            self_s=with_cost(true_self[name], price, paid_calls(received[name], made)),
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


def total_s(graph: CallGraph) -> float:
    return sum(node.times.self_s for node in graph.values())


def test_true_self_and_cumulative_times_come_back():
    graph = graph_of(TRUE_SELF, CALLS)
    freed = correct(graph, sum(TRUE_SELF.values()), total_s(graph))
    for name, seconds in TRUE_SELF.items():
        assert freed[name].self_s == pytest.approx(seconds, rel=1e-4)
        assert freed[name].cumulative_s == pytest.approx(TRUE_CUMULATIVE[name], rel=1e-4)


def test_the_profile_itself_blames_the_wrong_function():
    graph = graph_of(TRUE_SELF, CALLS)
    seen = {name: node.times.self_s for name, node in graph.items()}
    assert max(seen, key=seen.__getitem__) == "features"
    freed = correct(graph, sum(TRUE_SELF.values()), total_s(graph))
    assert max(freed, key=lambda name: freed[name].self_s) == "scale"


def test_a_workload_that_pays_nothing_is_not_corrected():
    graph = graph_of(TRUE_SELF, CALLS, price=0.0)
    freed = correct(graph, 1.0, 1.0)
    assert {name: times.self_s for name, times in freed.items()} == pytest.approx(TRUE_SELF)


@given(
    own=st.lists(st.floats(0, 0.01), min_size=2, max_size=8),
    counts=st.lists(st.integers(0, 20_000), min_size=8, max_size=8),
    plain=st.floats(1e-4, 0.1),
    profiled=st.floats(0, 0.2),
)
def test_the_sum_is_the_unprofiled_duration_and_no_time_is_negative(own, counts, plain, profiled):
    names = [f"f{number}" for number in range(len(own))]
    calls = {(names[0], name): count for name, count in zip(names[1:], counts, strict=False) if count}
    graph = graph_of(dict(zip(names, own, strict=True)), calls)
    freed = correct(graph, plain, profiled)
    assert all(times.self_s >= 0 and times.cumulative_s >= 0 for times in freed.values())
    assert sum(times.self_s for times in freed.values()) == pytest.approx(min(plain, total_s(graph)))


def test_recursion_is_not_counted_twice():
    graph: CallGraph = {
        "outer": Node("outer", Times(calls=1, self_s=0.001, cumulative_s=0.011)),
        "walk": Node("walk", Times(calls=10, recursive_calls=9, self_s=0.010, cumulative_s=0.010)),
    }
    graph["outer"].callees["walk"] = Times(calls=1, cumulative_s=0.010)
    graph["walk"].callees["walk"] = Times(calls=9, recursive_calls=8, cumulative_s=0.009)
    freed = correct(graph, 0.010, 0.011)
    assert freed["walk"].cumulative_s <= freed["outer"].cumulative_s <= 0.010 + 1e-9


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
