"""The classes of latencies: their edges, and that none is lost, counted twice or in the wrong one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.records.latency_counts import LatencyClass, LatencyCounts, add_latencies, class_width_ns, count_latencies

DURATIONS = st.lists(st.integers(0, 3_600_000_000_000), min_size=1, max_size=50)


def counted(durations: list[int]) -> LatencyCounts:
    found = count_latencies(Counter(durations))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("duration_ns", "width_ns"),
    [(0, 1), (7, 1), (8, 2), (15, 2), (16, 4), (1023, 128), (1024, 256), (5_000_000, 2**20)],
)
def test_there_are_four_classes_to_a_doubling(duration_ns: int, width_ns: int) -> None:
    assert class_width_ns(duration_ns) == width_ns


def test_successive_classes_are_kept_without_their_edges() -> None:
    assert counted([1024, 1100, 1279, 1280, 2047]) == LatencyCounts(1024, (3, 1, 0, 1))
    assert counted([1024, 1279, 2047]).classes() == [LatencyClass(1024, 1280, 2), LatencyClass(1792, 2048, 1)]


def test_classes_can_be_joined_to_halves_of_a_doubling_and_to_whole_ones() -> None:
    counts = counted([1023, 1024, 1279, 1280, 2047, 2048])

    assert counts.classes(2) == [
        LatencyClass(768, 1024, 1), LatencyClass(1024, 1536, 3), LatencyClass(1536, 2048, 1),
        LatencyClass(2048, 3072, 1),
    ]  # fmt: skip
    assert [(each.start_ns, each.samples) for each in counts.classes(1)] == [(512, 1), (1024, 4), (2048, 1)]


def test_without_durations_there_is_no_distribution() -> None:
    assert count_latencies({}) is None
    assert add_latencies([]) is None


@given(DURATIONS)
def test_every_duration_is_counted_in_the_class_that_holds_it(durations: list[int]) -> None:
    classes = counted(durations).classes()

    assert sum(each.samples for each in classes) == len(durations)
    for start_ns, end_ns, samples in classes:
        assert samples == sum(start_ns <= duration < end_ns for duration in durations)
    assert all(left.end_ns <= right.start_ns for left, right in pairwise(classes))


@given(st.lists(DURATIONS, min_size=1, max_size=4))
def test_adding_distributions_is_counting_all_durations_together(parts: list[list[int]]) -> None:
    assert add_latencies(map(counted, parts)) == counted([duration for part in parts for duration in part])
