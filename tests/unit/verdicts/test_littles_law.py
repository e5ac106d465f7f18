from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from perfcli.records.load import LoadResult, LoadSecond, Quantiles
from perfcli.verdicts.littles_law import check_littles_law
from perfcli.verdicts.probing import judge_probe
from perfcli.verdicts.slo import parse_slo

SERVICE = Quantiles(0.007, None, None, None, None, 0.007, 0.007)


@pytest.fixture
def run(make_load: Callable[..., LoadResult], make_second: Callable[..., LoadSecond]) -> Callable[..., LoadResult]:
    """Make a run of 10 s with 100 requests a second of 7 ms each, of which 0.7 are in flight."""

    def make(mean_in_flight: float | None = 0.7, mean_time_s: float | None = 0.007, **fields: object) -> LoadResult:
        seconds = [make_second(float(start), [0.007] * 100, mean_in_flight=mean_in_flight) for start in range(10)]
        result = make_load([0.007] * 1000, seconds=tuple(seconds), loop="open", **fields)
        return replace(result, total=replace(result.total, service=SERVICE, mean_time_s=mean_time_s))

    return make


def test_requests_in_flight_are_rate_times_latency(run: Callable[..., LoadResult]) -> None:
    law = check_littles_law(run())
    assert (law.in_flight, law.rate_rps, law.mean_s) == (pytest.approx(0.7), 100.0, 0.007)
    assert law.ratio == pytest.approx(1.0)
    assert not law.is_broken


def test_mean_in_flight_weighs_seconds_by_their_length(run: Callable[..., LoadResult]) -> None:
    *seconds, last = run().seconds
    result = replace(run(), seconds=(*seconds, replace(last, elapsed_s=0.5, mean_in_flight=0.0)))
    assert check_littles_law(result).in_flight == pytest.approx(9 * 0.7 / 9.5)


@pytest.mark.parametrize(("in_flight", "mean_s"), [(0.7, 0.0035), (0.35, 0.007), (0.69, 0.007)])
def test_probe_that_breaks_the_law_is_not_believed(
    run: Callable[..., LoadResult], in_flight: float, mean_s: float
) -> None:
    wrong = run(in_flight, mean_s)
    probe = judge_probe(100.0, wrong, [parse_slo("p50 < 50ms")], allow_few=False)
    assert probe.outcome == "inconclusive"
    assert probe.littles_ratio == pytest.approx(in_flight / (100 * mean_s))
    assert probe.reason.startswith(f"the measurement is wrong: {in_flight:g} requests were in flight, and 100/s of ")


def test_probe_that_obeys_the_law_holds(run: Callable[..., LoadResult]) -> None:
    probe = judge_probe(100.0, run(), [parse_slo("p50 < 50ms")], allow_few=False)
    assert (probe.outcome, probe.in_flight, probe.littles_ratio) == ("holds", pytest.approx(0.7), pytest.approx(1.0))


def test_requests_that_began_before_the_window_explain_a_difference(run: Callable[..., LoadResult]) -> None:
    # 14 of 7 ms each are 0.098 s of the 7 s that all took: 1.4 %, beside the one that rounding may have.
    first, *others = run(0.7 * 0.98).seconds
    before = replace(first, measured=False, in_flight=14)
    assert not check_littles_law(replace(run(), seconds=(before, *others))).is_broken
    assert check_littles_law(replace(run(0.7 * 0.97), seconds=(before, *run(0.7 * 0.97).seconds[1:]))).is_broken
    alone = replace(before, in_flight=0)
    assert check_littles_law(replace(run(), seconds=(alone, *others))).is_broken


def test_nothing_is_said_of_a_run_that_does_not_know_a_side(run: Callable[..., LoadResult]) -> None:
    for unknown in (run(None), run(mean_time_s=None), replace(run(), seconds=())):
        law = check_littles_law(unknown)
        assert (law.ratio, law.is_broken) == (None, False)
