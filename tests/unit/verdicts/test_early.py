from __future__ import annotations

from collections.abc import Callable

import pytest

from perfcli.records.load import Arrivals, LoadedServer, LoadResult, Quantiles, Window
from perfcli.verdicts.early import decide_slo, is_lost
from perfcli.verdicts.slo import parse_slo

MakeLoad = Callable[..., LoadResult]
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


def test_run_is_lost_only_by_an_slo_that_aborts(make_load: MakeLoad) -> None:
    load = make_load([0.010] * 94 + [0.100] * 6)
    assert not is_lost([parse_slo("p99 < 50ms")], False, load)
    assert not is_lost([parse_slo("p99 < 200ms abort"), parse_slo("p99 < 50ms")], False, load)
    assert is_lost([parse_slo("p50 < 50ms abort"), parse_slo("p99 < 50ms abort")], False, load)


def test_run_is_not_lost_before_the_end_of_its_warm_up_can_be_found(make_load: MakeLoad) -> None:
    slo = parse_slo("p99 < 50ms abort")
    unknown, known = (make_load([0.1] * 100, window=Window(5.0, 0.0, stable)) for stable in (None, False))
    assert not is_lost([slo], True, unknown)
    assert is_lost([slo], False, unknown)
    assert is_lost([slo], True, known)
    dropping = make_load([0.1] * 100, window=unknown.window, arrivals=Arrivals(20, 10, 4, 10, NOTHING))
    assert is_lost([parse_slo("dropped == 0 abort")], True, dropping)


def test_nothing_is_known_before_the_first_request(make_load: MakeLoad) -> None:
    assert decide_slo(parse_slo("p99 < 50ms"), make_load()) is None
