"""Comparisons under noise, on recorded calls of the embedded model beside two processes that work in bursts.

A call takes 2.8 ms at the 25th and 8.3 ms at the 75th percentile. `make bench` runs the same over fresh calls.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from perfcli.records import ProfileResult, Stage
from perfcli.records.comparison import Comparison, Turn
from perfcli.verdicts.comparison import compare
from perfcli.verdicts.latency_change import Rule

RECORDED = json.loads((Path(__file__).parent / "noisy_calls.json").read_text())
CALLS_S = [duration / 1e6 for duration in RECORDED["calls_us"]]
TURNS = 250


def compare_in_turn(
    make_profile: Callable[..., ProfileResult], factor: float, seed: int, planted: str = ""
) -> Comparison:
    """Compare recorded calls with others of the same moments, those of the new side longer by the factor."""
    source = random.Random(seed)
    start = source.randrange(len(CALLS_S) - 6 * TURNS)
    turns = []
    for first in range(start, start + 6 * TURNS, 6):
        sides = [tuple(CALLS_S[first : first + 3]), tuple(CALLS_S[first + 3 : first + 6])]
        source.shuffle(sides)
        turns.append(Turn(sides[0], tuple(duration * factor for duration in sides[1])))
    base, new = (make_profile(turns[0].base_s, stages=stages(source, side)) for side in ("", planted))
    return compare(base, new, Rule(), sources=("base", "new"), turns=turns)


def stages(source: random.Random, planted: str) -> tuple[Stage, ...]:
    """Take the stages of sixty calls in a row; the planted one lasts longer by a tenth of the whole call."""
    start = source.randrange(len(RECORDED["stages_us"]["scaler"]) - 60)
    times = {name: sum(each[start : start + 60]) / 60e6 for name, each in RECORDED["stages_us"].items()}
    if planted:
        times[planted] += 0.1 * sum(times.values())
    return tuple(Stage(name, seconds, seconds / sum(times.values()), 1.0) for name, seconds in times.items())


def changes(make_profile: Callable[..., ProfileResult], factor: float, times: int) -> Counter[str]:
    return Counter(compare_in_turn(make_profile, factor, seed).change for seed in range(times))


def test_target_compared_with_itself_is_hardly_ever_slower_or_faster(
    make_profile: Callable[..., ProfileResult],
) -> None:
    found = changes(make_profile, 1.0, 200)
    assert found["slower"] + found["faster"] <= 10
    assert found["same"] >= 150


def test_slow_down_of_a_tenth_is_found(make_profile: Callable[..., ProfileResult]) -> None:
    assert changes(make_profile, 1.10, 100)["slower"] >= 95


def test_slow_down_below_the_smallest_effect_is_never_slower(make_profile: Callable[..., ProfileResult]) -> None:
    assert changes(make_profile, 1.03, 200)["slower"] == 0


def test_stage_that_became_slower_is_named_first(make_profile: Callable[..., ProfileResult]) -> None:
    names = list(RECORDED["stages_us"])
    planted = [names[seed % len(names)] for seed in range(100)]
    named = [compare_in_turn(make_profile, 1.1, seed, name).moved[0].name for seed, name in enumerate(planted)]
    assert sum(one == other for one, other in zip(planted, named, strict=True)) >= 95
