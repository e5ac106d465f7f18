"""What is counted of either side, against a count of our own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram

from perfcli.records import ProfileResult
from perfcli.records.comparison import Turn
from perfcli.records.load import LoadResult
from perfcli.reporters.json import read_result
from perfcli.verdicts.both_distributions import CLASSES, both_distributions

RUNS = Path(__file__).parents[2] / "golden"


@pytest.fixture
def profile() -> ProfileResult:
    result = read_result(RUNS / "profile.json")
    assert isinstance(result, ProfileResult)
    return result


@pytest.fixture
def load() -> LoadResult:
    result = read_result(RUNS / "load.json")
    assert isinstance(result, LoadResult)
    return result


def test_every_call_but_the_slowest_hundredth_is_in_the_class_that_holds_it(profile: ProfileResult) -> None:
    base = replace(profile, samples_s=tuple(0.001 * number for number in range(1, 201)))
    new = replace(profile, samples_s=(0.0005, 0.002, 0.002, 0.5))
    both = both_distributions(base, new, ())
    assert (both.low_s, both.high_s) == (0.0005, 0.5)
    width_s = (0.5 - 0.0005) / CLASSES
    for counts, samples in ((both.base, base.samples_s), (both.new, new.samples_s)):
        expected = [0] * CLASSES
        for seconds in samples:
            expected[max(0, min(CLASSES - 1, -int(-(seconds - 0.0005) // width_s) - 1))] += 1
        assert list(counts) == expected
    assert both.new[0] == 3


def test_turns_are_counted_instead_of_the_results(profile: ProfileResult) -> None:
    turns = [Turn((0.001, 0.002), (0.003,)), Turn((0.001,), (0.004, 0.004))]
    both = both_distributions(profile, profile, turns)
    assert (both.low_s, both.high_s) == (0.001, 0.004)
    assert (both.base[0], sum(both.base), sum(both.new), both.new[-1]) == (2, 3, 3, 2)


def test_the_histograms_of_loads_are_counted(load: LoadResult) -> None:
    def run(values_ms: dict[int, int]) -> LoadResult:
        histogram = HdrHistogram(1, 3_600_000_000_000, 3)
        for value_ms, count in values_ms.items():
            histogram.record_value(value_ms * 1_000_000, count)
        return replace(load, total=replace(load.total, histogram=histogram.encode().decode()))

    both = both_distributions(run({10: 500, 20: 500}), run({10: 100, 41: 900}), ())
    assert both.low_s == pytest.approx(0.010, rel=1e-3)
    assert both.high_s == pytest.approx(0.041, rel=1e-3)
    assert [count for count in both.base if count] == [500, 500]
    assert [count for count in both.new if count] == [100, 900]
    assert both.base[19] == 500
    assert both.new[-1] == 900


def test_equal_calls_have_a_class_of_some_width(profile: ProfileResult) -> None:
    same = replace(profile, samples_s=(0.005,) * 10)
    both = both_distributions(same, same, ())
    assert both.high_s > both.low_s
    assert both.base[0] == both.new[0] == 10
