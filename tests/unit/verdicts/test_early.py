from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from perfcli.records.latency_counts import count_latencies
from perfcli.records.load import Arrivals, LoadedServer, LoadResult, LoadSecond, Quantiles, Window
from perfcli.verdicts.early import decide_slo, is_lost
from perfcli.verdicts.slo import parse_slo

MakeLoad = Callable[..., LoadResult]
MakeSecond = Callable[..., LoadSecond]
NOTHING = Quantiles(None, None, None, None, None, None, None)


@pytest.mark.parametrize(
    ("text", "fast", "slow", "failures", "decision"),
    [
        ("p99 < 50ms", 459, 0, 0, "holds"),
        ("p99 < 50ms", 458, 0, 0, None),
        ("p99 < 50ms", 94, 6, 0, "fails"),
        ("p99 < 50ms", 97, 3, 0, None),
        ("p50 < 50ms", 5, 100, 0, "fails"),
        ("p99 > 50ms", 0, 459, 0, None),
        ("error_rate < 1%", 94, 0, 6, "fails"),
        ("error_rate < 1%", 459, 0, 0, "holds"),
        ("success_rate > 99%", 94, 0, 6, "fails"),
        ("success_rate >= 99%", 459, 0, 0, "holds"),
        ("error_rate > 1%", 94, 0, 6, None),
        ("error_rate == 0%", 999, 0, 1, "fails"),
        ("error_rate == 0%", 999, 0, 0, None),
        ("max < 50ms", 99, 1, 0, "fails"),
        ("max < 50ms", 99, 0, 0, None),
        ("mean < 5ms", 100, 0, 0, None),
        ("throughput > 1000/s", 100, 0, 0, None),
        ("/other: p99 < 50ms", 459, 0, 0, None),
    ],
)
def test_slo_is_decided_by_what_was_seen_so_far(
    make_load: MakeLoad, text: str, fast: int, slow: int, failures: int, decision: str | None
) -> None:
    load = make_load([0.010] * fast + [0.100] * slow, failures=failures)
    assert decide_slo(parse_slo(text), load) == decision


def test_counts_above_their_limit_stay_so(make_load: MakeLoad) -> None:
    load = make_load(
        [0.01] * 10,
        arrivals=Arrivals(20, 10, 4, 10, NOTHING),
        server=LoadedServer(1, 0.5, 0.5, 200 * 2**20, 3, {}, None),
    )
    decisions = [decide_slo(parse_slo(text), load) for text in ("dropped == 0", "late <= 4", "rss < 100MiB")]
    assert decisions == ["fails", None, "fails"]


def course(
    make_load: MakeLoad,
    make_second: MakeSecond,
    slow: Sequence[int],
    failures: Sequence[int] | None = None,
) -> LoadResult:
    """Return a load of a hundred successes a second, of which so many took 100 ms and the others 10 ms."""
    by_second = [[0.010] * (100 - count) + [0.100] * count for count in slow]
    failed = failures or [0] * len(slow)
    seconds = tuple(
        make_second(
            float(start),
            samples,
            failures=failed[start],
            latency_counts=count_latencies(Counter(round(each * 1e9) for each in samples)),
        )
        for start, samples in enumerate(by_second)
    )
    load = make_load([each for samples in by_second for each in samples], failures=sum(failed), seconds=seconds)
    window = Window(float(len(slow)), 0.0, None)
    return replace(load, window=window, description=replace(load.description, duration_s=None))


@pytest.mark.parametrize(
    ("text", "slow", "failures", "lost"),
    [
        ("p99 < 50ms abort", [0, 10], None, False),
        ("p99 < 50ms abort", [0, 10, 0, 0, 0, 0], None, False),
        ("p99 < 50ms abort", [0, 100, 100, 100, 0, 0, 0, 0], None, False),
        ("p99 < 50ms abort", [10] * 4, None, False),
        ("p99 < 50ms abort", [10, 8, 12, 9, 11], None, True),
        ("p50 < 50ms abort", [100] * 5, None, True),
        ("error_rate < 1% abort", [0] * 6, [0, 0, 100, 0, 0, 0], False),
        ("error_rate < 1% abort", [0] * 5, [9, 11, 10, 8, 12], True),
        ("error_rate == 0% abort", [0], [1], True),
        ("max < 50ms abort", [1], None, True),
    ],
)
def test_run_is_not_given_up_for_one_pause(
    make_load: MakeLoad, make_second: MakeSecond, text: str, slow: list[int], failures: list[int] | None, lost: bool
) -> None:
    assert is_lost([parse_slo(text)], False, course(make_load, make_second, slow, failures)) == lost


@pytest.mark.parametrize(
    ("description", "lost"),
    [
        ({"rate_rps": 100.0, "duration_s": 9.0}, True),
        ({"rate_rps": 100.0, "duration_s": 10.0}, False),
        ({"requests": 900}, True),
        ({"requests": 1000}, False),
        ({"rate_rps": 100.0, "duration_s": 10.0, "requests": 900}, True),
        ({"duration_s": 9.0}, False),
    ],
)
def test_run_is_lost_when_more_violate_the_slo_than_all_that_are_planned_allow(
    make_load: MakeLoad, make_second: MakeSecond, description: dict[str, object], lost: bool
) -> None:
    load = course(make_load, make_second, [0, 10])
    load = replace(load, description=replace(load.description, **description))
    assert is_lost([parse_slo("p99 < 50ms abort")], False, load) == lost


def test_run_is_lost_only_by_an_slo_that_aborts(make_load: MakeLoad, make_second: MakeSecond) -> None:
    load = course(make_load, make_second, [6] * 5)
    assert not is_lost([parse_slo("p99 < 50ms")], False, load)
    assert not is_lost([parse_slo("p99 < 200ms abort"), parse_slo("p99 < 50ms")], False, load)
    assert is_lost([parse_slo("p50 < 50ms abort"), parse_slo("p99 < 50ms abort")], False, load)


def test_run_is_not_lost_before_the_end_of_its_warm_up_can_be_found(
    make_load: MakeLoad, make_second: MakeSecond
) -> None:
    slo = parse_slo("p99 < 50ms abort")
    load = course(make_load, make_second, [100] * 5)
    unknown, known = (replace(load, window=Window(5.0, 0.0, stable)) for stable in (None, False))
    assert not is_lost([slo], True, unknown)
    assert is_lost([slo], False, unknown)
    assert is_lost([slo], True, known)
    dropping = make_load([0.1] * 100, window=unknown.window, arrivals=Arrivals(20, 10, 4, 10, NOTHING))
    assert is_lost([parse_slo("dropped == 0 abort")], True, dropping)


def test_nothing_is_known_before_the_first_request(make_load: MakeLoad) -> None:
    assert decide_slo(parse_slo("p99 < 50ms"), make_load()) is None
