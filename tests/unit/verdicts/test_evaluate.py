from __future__ import annotations

from collections.abc import Callable

import pytest
from scipy.stats import binom

from perfcli.errors import ExitCode, UsageError
from perfcli.records import CpuTime, MemoryUse, ProfileResult, SloVerdict, TargetDescription
from perfcli.records.load import Arrivals, GeneratorReport, LoadedServer, LoadResult, Quantiles
from perfcli.verdicts.evaluate import evaluate, exit_code
from perfcli.verdicts.measuring import check_loop
from perfcli.verdicts.slo import parse_slo

MakeProfile = Callable[..., ProfileResult]
MakeLoad = Callable[..., LoadResult]
MILLISECONDS = [number / 1000 for number in range(1, 501)]
NOTHING = Quantiles(None, None, None, None, None, None, None)


def judge(result: ProfileResult | LoadResult, text: str, *, allow_few: bool = False) -> SloVerdict:
    (verdict,) = evaluate(result, [parse_slo(text)], allow_few=allow_few)
    return verdict


@pytest.mark.parametrize(
    ("text", "measured", "margin", "outcome"),
    [
        ("p99 < 500ms", 0.495, 0.01, "pass"),
        ("p99 < 400ms", 0.495, -0.2375, "fail"),
        ("p50 <= 250ms", 0.250, 0.0, "pass"),
        ("median < 250ms", 0.2505, -0.002, "fail"),
        ("p12.5 < 1s", 0.063, 0.937, "pass"),
        ("mean < 501ms", 0.2505, 0.5, "pass"),
        ("max < 500ms", 0.5, 0.0, "fail"),
        ("cpu < 20ms", 0.015, 0.25, "pass"),
        ("rss > 100MiB", 150 * 2**20, 0.5, "pass"),
        ("peak_memory < 20MiB", 40 * 2**20, -1.0, "fail"),
    ],
)
def test_profile_is_measured_and_judged(
    make_profile: MakeProfile, text: str, measured: float, margin: float, outcome: str
) -> None:
    profile = make_profile(MILLISECONDS, cpu=CpuTime(0.015, 0.016), memory=MemoryUse(150 * 2**20, 0, 40 * 2**20))
    verdict = judge(profile, text)
    assert verdict.measured == pytest.approx(measured)
    assert verdict.margin == pytest.approx(margin, abs=1e-9)
    assert (verdict.outcome, verdict.samples) == (outcome, 500)


@pytest.mark.parametrize(
    ("text", "measured", "samples", "outcome"),
    [
        ("p99 < 500ms", 0.495, 500, "pass"),
        ("p97 < 400ms", 0.485, 500, "fail"),
        ("mean < 1s", 0.2505, 500, "pass"),
        ("max <= 500ms", 0.5, 500, "pass"),
        ("throughput >= 60/s", 60.0, 600, "pass"),
        ("goodput(100.5ms) >= 10/s", 10.0, 600, "pass"),
        ("goodput(100.5ms) > 10/s", 10.0, 600, "fail"),
        ("error_rate < 10%", 1 / 6, 600, "fail"),
        ("success_rate > 80%", 5 / 6, 600, "pass"),
        ("late < 100", 97, 970, "pass"),
        ("late < 10%", 0.1, 970, "fail"),
        ("cpu < 80%", 0.9, 600, "fail"),
        ("rss < 200MiB", 100 * 2**20, 600, "pass"),
        ("/predict:p99 < 1s", 0.495, 500, "pass"),
    ],
)
def test_load_is_measured_and_judged(
    make_load: MakeLoad, text: str, measured: float, samples: int, outcome: str
) -> None:
    load = make_load(
        MILLISECONDS,
        failures=100,
        arrivals=Arrivals(970, 970, 97, 0, NOTHING),
        server=LoadedServer(1, 0.9, 0.9, 100 * 2**20, 5, {}, None),
    )
    verdict = judge(load, text)
    # Three digits of the histogram where the record does not hold the percentile itself.
    assert verdict.measured == pytest.approx(measured, rel=1e-3)
    assert (verdict.samples, verdict.outcome) == (samples, outcome)


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        ("dropped == 0", "fail", "dropped is 50"),
        ("dropped <= 5%", "pass", ""),
        # 10 of 500 failed; 60 of 550 did when those that were dropped failed, too.
        ("error_rate < 11%", "pass", ""),
        ("error_rate < 10%", "inconclusive", "50 of 1000 arrivals were dropped: with these it is 10.9 %"),
        ("error_rate < 1%", "fail", "error_rate is 2.00 %"),
        ("success_rate > 90%", "inconclusive", "50 of 1000 arrivals were dropped: with these it is 89.1 %"),
        # Of 490 successes and 50 slower ones the 270th is the median, the 486th p90, and none is known to be p95.
        ("p50 < 271ms", "pass", ""),
        ("p90 < 486ms", "inconclusive", "50 of 1000 arrivals were dropped: with these it is 486.01 ms"),
        ("p95 < 10s", "inconclusive", "50 of 1000 arrivals were dropped: what they took is unknown"),
        ("/predict: p95 < 10s", "inconclusive", "50 of 1000 arrivals were dropped: what they took is unknown"),
        ("p95 < 100ms", "fail", "p95 is 466 ms"),
        ("max < 10s", "inconclusive", "50 of 1000 arrivals were dropped: what they took is unknown"),
        ("throughput > 1/s", "pass", ""),
    ],
)
def test_nothing_passes_because_arrivals_were_dropped(
    make_load: MakeLoad, text: str, outcome: str, reason: str
) -> None:
    load = make_load(MILLISECONDS[:490], failures=10, arrivals=Arrivals(1000, 950, 0, 50, NOTHING))
    verdict = judge(load, text)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_verdict_holds_all_that_a_report_shows(make_profile: MakeProfile) -> None:
    assert judge(make_profile([0.002] * 500), "p99 < 1ms") == SloVerdict(
        slo="p99 < 1ms",
        metric="p99",
        endpoint=None,
        operator="<",
        limit=0.001,
        measured=0.002,
        unit="s",
        margin=-1.0,
        samples=500,
        samples_needed=459,
        outcome="fail",
        reason="p99 is 2.00 ms",
    )


def test_slo_without_samples_fails(make_profile: MakeProfile, make_load: MakeLoad) -> None:
    empty = [judge(make_profile([]), "p99 < 1s"), *evaluate(make_load(), [parse_slo("throughput > 0/s")])]
    assert [(verdict.outcome, verdict.reason) for verdict in empty] == [
        ("fail", "no samples: no call was measured"),
        ("fail", "no samples: no request ended"),
    ]


@pytest.mark.parametrize(
    "text", ["p50 < 1s", "p50 > 1s", "max < 1s", "mean < 1s", "goodput(1s) > 0/s", "error_rate < 1%"]
)
def test_service_that_only_fails_keeps_no_slo(make_load: MakeLoad, text: str) -> None:
    assert judge(make_load([], failures=700), text).outcome == "fail"


def test_unknown_endpoint_fails_and_the_seen_ones_are_named(make_load: MakeLoad) -> None:
    verdict = judge(make_load(endpoints={"/a": [0.1], "/b": [0.1]}), "/c: p50 < 1s")
    assert (verdict.outcome, verdict.reason) == ("fail", "no samples: no request went to /c; endpoints seen: /a, /b")


def test_endpoint_is_judged_by_its_own_samples(make_load: MakeLoad) -> None:
    load = make_load([0.1] * 10, endpoints={"/fast": [0.01] * 500, "/slow": [0.4] * 500})
    assert [judge(load, f"{name}: p99 < 100ms").outcome for name in ("/fast", "/slow")] == ["pass", "fail"]


@pytest.mark.parametrize(("samples", "outcome"), [(458, "inconclusive"), (459, "pass")])
def test_percentile_of_too_few_samples_is_inconclusive(make_profile: MakeProfile, samples: int, outcome: str) -> None:
    verdict = judge(make_profile([0.001] * samples), "p99 < 50ms")
    assert (verdict.outcome, verdict.samples_needed) == (outcome, 459)
    assert verdict.reason == ("" if outcome == "pass" else "p99 needs 459 samples, and there are 458")


def test_too_few_samples_for_a_percentile_may_still_prove_that_its_limit_is_broken(make_load: MakeLoad) -> None:
    # With at most 1 % beyond the limit, chance has two of ten beyond it four times in a thousand, and one once in ten.
    assert judge(make_load([0.020] * 9 + [0.100]), "p99 < 50ms").outcome == "inconclusive"
    verdict = judge(make_load([0.020] * 8 + [0.100] * 2), "p99 < 50ms")
    assert (verdict.outcome, verdict.reason) == ("fail", "p99 is 100 ms")


@pytest.mark.parametrize("metric", ["p90", "p95", "p99", "p99.9"])
@pytest.mark.parametrize("runs", [1, 2, 20, 60])
def test_few_calls_prove_a_broken_limit_where_the_binomial_distribution_leaves_no_doubt(
    make_profile: MakeProfile, metric: str, runs: int
) -> None:
    allowed = 1 - float(metric.removeprefix("p")) / 100
    for slow in range(runs + 1):
        # A call that takes as long as the limit is not below it.
        verdict = judge(make_profile([0.0005] * (runs - slow) + [0.001] * slow), f"{metric} < 1ms")
        few = verdict.samples_needed is not None and runs < verdict.samples_needed
        proven = binom.sf(slow - 1, runs, allowed) <= 0.01
        assert not few or verdict.outcome == ("fail" if proven else "inconclusive"), slow


def test_a_limit_that_every_call_breaks_is_broken(make_profile: MakeProfile) -> None:
    verdict = judge(make_profile([0.002] * 60), "p99 < 1ms")
    assert (verdict.outcome, verdict.reason) == ("fail", "p99 is 2.00 ms")
    # Two of 60 beyond it chance has in one run of eight, though at most 1 % are.
    assert judge(make_profile([0.0005] * 58 + [0.002] * 2), "p99 < 1ms").outcome == "inconclusive"


@pytest.mark.parametrize("text", ["p99 > 1s", "p99 == 1s"])
def test_few_calls_prove_nothing_of_another_limit(make_profile: MakeProfile, text: str) -> None:
    assert judge(make_profile([0.002] * 60), text).outcome == "inconclusive"


def test_few_samples_can_be_allowed(make_load: MakeLoad) -> None:
    load = make_load([0.001] * 9 + [0.2])
    assert judge(load, "p99 < 50ms").outcome == "inconclusive"
    assert judge(load, "p99 < 50ms", allow_few=True).outcome == "fail"


@pytest.mark.parametrize("text", ["p50 < 1s", "p50 > 1s", "throughput > 1/s", "error_rate < 1%"])
def test_generator_that_could_not_keep_up_is_never_a_pass(make_load: MakeLoad, text: str) -> None:
    bound = GeneratorReport("generator-bound", ("CPU at 99 %", "lag of 80 ms"), 0.99, None, None, 1)
    verdict = judge(make_load([0.1] * 100, generator=bound), text)
    assert (verdict.outcome, verdict.reason) == (
        "inconclusive",
        "the generator could not keep up: CPU at 99 %; lag of 80 ms",
    )


def test_what_was_not_measured_is_inconclusive(make_profile: MakeProfile, make_load: MakeLoad) -> None:
    assert judge(make_profile([0.1]), "peak_memory < 1GiB").reason == "peak_memory was not measured"
    assert judge(make_load([0.1]), "cpu < 80%").outcome == "inconclusive"
    assert judge(make_load([0.1]), "dropped == 0").reason == "only an open loop (--rate) has arrivals"


@pytest.mark.parametrize("metric", ["cpu < 1s", "rss < 1GiB", "peak_memory < 1GiB"])
def test_what_the_client_needs_is_no_promise_of_an_api(make_profile: MakeProfile, metric: str) -> None:
    target = TargetDescription("remote", "http://127.0.0.1:8000/predict", "POST", 1, 1, "abc")
    remote = make_profile([0.1], target=target, cpu=CpuTime(0.01, 0.01), memory=MemoryUse(2**20, 0, 2**20))
    verdict = judge(remote, metric)
    assert (verdict.outcome, verdict.measured) == ("inconclusive", None)
    assert verdict.reason == f"{metric.split()[0]} was measured of the client, not of the API"


@pytest.mark.parametrize("text", ["throughput > 1/s", "error_rate < 1%", "dropped == 0", "cpu < 80%", "/x: p50 < 1s"])
def test_profile_refuses_what_only_a_load_measures(make_profile: MakeProfile, text: str) -> None:
    with pytest.raises(UsageError, match="profile run"):
        judge(make_profile([0.1]), text)


@pytest.mark.parametrize("text", ["peak_memory < 1GiB", "cpu < 5ms", "/predict: rss < 1GiB", "/predict: dropped == 0"])
def test_load_refuses_what_it_does_not_measure(make_load: MakeLoad, text: str) -> None:
    with pytest.raises(UsageError, match="load run"):
        judge(make_load([0.1]), text)


def test_limit_of_zero_has_no_margin(make_load: MakeLoad) -> None:
    verdict = judge(make_load([0.1] * 10), "error_rate == 0%")
    assert (verdict.outcome, verdict.margin) == ("pass", None)


def test_distance_from_an_exact_limit_is_never_a_margin(make_load: MakeLoad) -> None:
    load = make_load([0.1] * 10, failures=10)
    assert judge(load, "success_rate == 100%").margin == -0.5
    assert judge(load, "success_rate == 25%").margin == -1.0


def test_failure_outweighs_what_is_inconclusive(make_profile: MakeProfile) -> None:
    profile = make_profile([0.1] * 10)
    passes, few, fails = (judge(profile, text) for text in ("p50 < 1s", "p99 < 1s", "max < 1ms"))
    assert exit_code([]) == exit_code([passes]) == ExitCode.OK
    assert exit_code([passes, few]) == ExitCode.INCONCLUSIVE
    assert exit_code([few, fails, passes]) == ExitCode.FAILED


@pytest.mark.parametrize("text", ["dropped == 0", "late < 1%"])
def test_slo_about_arrivals_is_refused_before_a_closed_loop(text: str) -> None:
    slos = [parse_slo("p99 < 50ms"), parse_slo(text)]
    with pytest.raises(UsageError, match=f"Only an open loop has arrivals .*SLO '{text}'"):
        check_loop(slos, open_loop=False)
    check_loop(slos, open_loop=True)
    check_loop(slos[:1], open_loop=False)


def test_shares_are_judged_by_the_limit_that_was_written(make_load: MakeLoad) -> None:
    assert judge(make_load([0.01] * 999, failures=1), "success_rate >= 99.9%").outcome == "pass"


def test_reason_does_not_read_as_the_limit_that_was_missed(make_load: MakeLoad) -> None:
    assert judge(make_load([0.01] * 2499, failures=1), "success_rate == 100%").reason == "success_rate is 99.96 %"
    assert judge(make_load([0.05004] * 500), "max < 50ms").reason == "max is 50.04 ms"


def test_no_percentile_is_above_the_maximum(make_load: MakeLoad) -> None:
    # Of 222.548 ms the histogram keeps three digits: at most 222.560 ms.
    load = make_load([0.2] * 990 + [0.222548] * 10)
    assert judge(load, "p99.5 <= 222.548ms").measured == 0.222548
    assert judge(load, "goodput(222.548ms) >= 100/s").outcome == "pass"
