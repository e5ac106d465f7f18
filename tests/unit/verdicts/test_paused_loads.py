"""Comparisons of loads with themselves while the service pauses now and then, and of loads that did become slower."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from perfcli.records.latency_counts import count_latencies
from perfcli.records.load import LoadResult, LoadSecond
from perfcli.verdicts.comparison import compare
from perfcli.verdicts.latency_change import Rule

MakeLoad = Callable[..., LoadResult]
MakeSecond = Callable[..., LoadSecond]
PER_S = 100


@pytest.mark.parametrize(("seconds", "pauses_per_s", "pause_s"), [(40, 0.05, 0.3), (30, 0.2, 0.1), (40, 0.2, 0.4)])
def test_load_with_pauses_is_neither_slower_nor_faster_than_itself(
    make_load: MakeLoad, make_second: MakeSecond, seconds: int, pauses_per_s: float, pause_s: float
) -> None:
    source = random.Random(1)
    changes = Counter(
        compared(
            *(
                load(make_load, make_second, latencies(source, seconds, pauses_per_s, pause_s))
                for _ in ("base", "new run")
            )
        )
        for _ in range(12)
    )
    assert changes["slower"] + changes["faster"] == 0


def test_load_that_pauses_often_is_slower(make_load: MakeLoad, make_second: MakeSecond) -> None:
    source = random.Random(1)
    quiet, paused = (latencies(source, 40, pauses_per_s, 0.2) for pauses_per_s in (0.001, 0.5))
    assert compared(load(make_load, make_second, quiet), load(make_load, make_second, paused)) == "slower"


def test_load_without_pauses_whose_tail_became_slower_is_slower(make_load: MakeLoad, make_second: MakeSecond) -> None:
    source = random.Random(1)
    base, new = (latencies(source, 30, 0.001, 0.0) for _ in ("base", "new run"))
    # The slowest tenth: all that is slower than 1.28 standard deviations.
    slowed = [[latency_s * 1.2 if latency_s > 0.01066 else latency_s for latency_s in second] for second in new]
    comparison = compare(
        load(make_load, make_second, base), load(make_load, make_second, slowed), Rule(), sources=("base", "new")
    )
    assert [metric.change for metric in comparison.metrics] == ["same", "slower", "slower"]


def compared(base: LoadResult, new: LoadResult) -> str:
    return compare(base, new, Rule(), sources=("base", "new")).change


def latencies(source: random.Random, seconds: int, pauses_per_s: float, pause_s: float) -> list[list[float]]:
    """Draw latencies of about 10 ms by second; who arrives in a pause, at a random moment, waits for its end."""
    begins, start_s = [], source.expovariate(pauses_per_s)
    while start_s < seconds:
        begins.append(start_s)
        start_s += source.expovariate(pauses_per_s)
    return [
        [
            0.010 * source.lognormvariate(0, 0.05)
            + max((begin + pause_s - at for begin in begins if begin <= at < begin + pause_s), default=0.0)
            for at in (second + number / PER_S for number in range(PER_S))
        ]
        for second in range(seconds)
    ]


def load(make_load: MakeLoad, make_second: MakeSecond, by_second: list[list[float]]) -> LoadResult:
    seconds = tuple(
        make_second(
            float(start),
            samples,
            latency_counts=count_latencies(Counter(round(latency_s * 1e9) for latency_s in samples)),
        )
        for start, samples in enumerate(by_second)
    )
    return make_load([latency_s for samples in by_second for latency_s in samples], seconds=seconds)
