from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from perfcli.errors import ExitCode, MeasurementError, UsageError
from perfcli.records import FunctionTime, Phase, ProfileResult, ServerView, Stage, TargetDescription
from perfcli.records.call_tree import CallNode
from perfcli.records.comparison import Comparison, Movement, Turn
from perfcli.records.comparison_codec import decode_comparison, encode_comparison
from perfcli.records.load import Arrivals, GeneratorReport, LoadResult, LoadSecond, Quantiles
from perfcli.reporters.comparison_report import describe_comparison
from perfcli.verdicts.comparison import compare, exit_code
from perfcli.verdicts.latency_change import Rule

MakeProfile = Callable[..., ProfileResult]
MakeLoad = Callable[..., LoadResult]
SOURCES = ("base.json", "new.json")
# Evenly spread around 10 ms in an order without trend, 3 % to either side.
QUIET = [0.010 * (0.97 + 0.06 * ((number * 377) % 1000) / 1000) for number in range(1000)]


def compared(base: ProfileResult | LoadResult, new: ProfileResult | LoadResult, **rule: object) -> Comparison:
    return compare(base, new, Rule(**rule), sources=SOURCES)


@pytest.mark.parametrize(
    ("factor", "change"),
    [(1.0, "same"), (1.03, "same"), (1.10, "slower"), (0.90, "faster"), (1.05, "inconclusive"), (3.0, "slower")],
)
def test_two_quiet_profiles_are_told_apart(make_profile: MakeProfile, factor: float, change: str) -> None:
    comparison = compared(make_profile(QUIET), make_profile([sample * factor for sample in QUIET]))
    (median,) = comparison.metrics
    assert (comparison.change, median.change) == (change, change)
    assert median.ratio == pytest.approx(factor)
    assert median.ci_low < factor < median.ci_high
    assert median.base_s == pytest.approx(0.010, rel=0.001)
    assert (median.p_value < 0.05) == (factor != 1.0)


def test_smallest_effect_decides_what_matters(make_profile: MakeProfile) -> None:
    base, new = make_profile(QUIET), make_profile([sample * 1.10 for sample in QUIET])
    assert compared(base, new, min_effect=0.2).change == "same"


def test_runs_of_few_samples_are_inconclusive_and_say_how_many_they_lack(make_profile: MakeProfile) -> None:
    (median,) = compared(make_profile([0.010, 0.011] * 3), make_profile([0.020, 0.021] * 3)).metrics
    assert (median.change, median.further_runs) == ("inconclusive", 4)


def test_machine_that_drifts_within_a_run_proves_nothing_between_two(make_profile: MakeProfile) -> None:
    drifting = [sample * (1.0 if number < 800 else 1.3) for number, sample in enumerate(QUIET)]
    comparison = compared(make_profile(drifting), make_profile([sample * 1.15 for sample in QUIET]))
    assert (comparison.change, comparison.metrics[0].further_runs) == ("inconclusive", None)
    (advice,) = comparison.warnings
    assert (advice.code, "--base" in advice.hint) == ("measured_apart", True)
    assert "the machine drifted by 29." in advice.message


def test_turns_cancel_noise_that_hits_both_sides(make_profile: MakeProfile) -> None:
    # The machine is up to eight times slower in bursts; the new side is 10 % slower at any moment.
    bursts = [1 + 7 * ((number * 7919) % 100 > 60) for number in range(200)]
    turns = [
        Turn(
            tuple(QUIET[3 * n + k] * burst for k in range(3)),
            tuple(1.1 * QUIET[3 * n + 500 - k] * burst for k in range(3)),
        )
        for n, burst in enumerate(bursts[:160])
    ]
    profile = make_profile(QUIET)
    comparison = compare(profile, profile, Rule(), sources=("a", "b"), turns=turns)
    (median,) = comparison.metrics
    assert comparison.change == "slower"
    assert 1.08 < median.ci_low < 1.1 < median.ci_high < 1.12
    assert (comparison.base.samples, comparison.base.independent_samples) == (480, 160)
    assert comparison.warnings == ()


def test_few_turns_are_inconclusive(make_profile: MakeProfile) -> None:
    profile = make_profile(QUIET)
    turns = [Turn((0.01,), (0.02 + number / 1e6,)) for number in range(5)]
    (median,) = compare(profile, profile, Rule(), sources=("a", "b"), turns=turns).metrics
    assert (median.change, median.further_runs) == ("inconclusive", 5)


def test_medians_of_several_payloads_are_those_that_the_ratio_is_of(make_profile: MakeProfile) -> None:
    # The cheapest one of three payloads takes five times as long, and the middle one of all calls takes no longer.
    turns = [Turn((0.001, 0.004, 0.010) * 3, (0.005, 0.004, 0.010) * 3, payloads=3)] * 20
    profile = make_profile(QUIET)
    comparison = compare(profile, profile, Rule(), sources=("a", "b"), turns=turns)
    (median,) = comparison.metrics
    assert (median.base_s, median.new_s, median.ratio) == pytest.approx((0.005, 0.019 / 3, 19 / 15))
    assert (comparison.change, comparison.base.samples, comparison.base.independent_samples) == ("slower", 180, 20)


def make_stages(**shares: float) -> tuple[Stage, ...]:
    return tuple(Stage(name, 0.123, share, 1.0) for name, share in shares.items())


def make_function(name: str, line: int, share: float) -> FunctionTime:
    return FunctionTime(name, "model.py", line, 1.0, 0.123, 0.123, 0.123, 0.123, share)


def test_parts_that_moved_are_named_the_largest_first(make_profile: MakeProfile) -> None:
    # The call takes 10 ms in the base and 20 ms in the new run.
    base = make_profile(
        [0.010] * 20,
        stages=make_stages(scale=0.2, predict=0.4, gone=0.12, still=0.28),
        functions=(make_function("f", 10, 0.1), make_function("g", 20, 0.06)),
    )
    new = make_profile(
        [0.020] * 20,
        stages=make_stages(scale=0.5, predict=0.15, still=0.141, fresh=0.199),
        functions=(make_function("f", 12, 0.2), make_function("g", 22, 0.03)),
    )
    moved = compared(base, new).moved
    assert [(movement.part, movement.name) for movement in moved] == [
        ("stage", "scale"),
        ("stage", "fresh"),
        ("function", "f model.py"),
        ("stage", "gone"),
        ("stage", "predict"),
    ]
    times = [(movement.base_s, movement.new_s, movement.difference_s) for movement in moved]
    expected = [(2, 10, 8), (0, 3.98, 3.98), (1, 4, 3), (1.2, 0, -1.2), (4, 3, -1)]
    assert times == [pytest.approx([each / 1000 for each in row]) for row in expected]


def test_stages_that_only_one_run_measured_have_not_moved(make_profile: MakeProfile) -> None:
    base = make_profile(
        [0.010] * 20, stages=make_stages(scale=0.2, predict=0.8), functions=(make_function("kept", 1, 0.02),)
    )
    functions = (make_function("kept", 1, 0.01), make_function("wrapped", 10, 0.5))
    new = make_profile([0.020] * 20, stages=(), functions=functions)
    assert [movement.name for movement in compared(base, new).moved] == ["wrapped model.py"]
    assert [movement.name for movement in compared(new, base).moved] == ["wrapped model.py"]


def test_part_that_did_not_move_when_measured_again_is_not_named(make_profile: MakeProfile) -> None:
    # A burst of other work fell into the second stage of the one new profile, and into the third of the other.
    base = make_profile(QUIET, stages=make_stages(scale=0.2, predict=0.5, rest=0.3))
    new = make_profile(QUIET, stages=make_stages(scale=0.1, predict=0.6, rest=0.3))
    once_more = make_profile(QUIET, stages=make_stages(scale=0.1, predict=0.4, rest=0.5))
    comparison = compare(base, new, Rule(), sources=SOURCES, again=(base, once_more))
    assert [(movement.name, round(movement.difference_s, 6)) for movement in comparison.moved] == [("scale", -0.001)]


def exchange(name: str, wait_s: float) -> dict[str, object]:
    return {
        "target": TargetDescription("remote", name, "POST", 1, 1, "abc"),
        "stages": make_stages(wait=0.7, send=0.3),
        "phases": (Phase("connect", 0.001, None), Phase("send", 0.001, 0.001), Phase("wait", 0.02, wait_s)),
        "functions": (make_function("recv", 1, 0.9),),
    }


def test_exchange_that_took_longer_while_it_was_looked_into_has_not_moved(make_profile: MakeProfile) -> None:
    turns = [Turn((0.010,) * 3, (0.010,) * 3)] * 20
    base, busy = (make_profile(QUIET, **exchange("http://a", wait_s)) for wait_s in (0.009, 0.011))
    comparison = compare(base, busy, Rule(), sources=SOURCES, turns=turns)
    assert (comparison.change, comparison.moved) == ("same", ())
    slower = [Turn((0.010,) * 3, (0.0125,) * 3)] * 20
    moved = compare(base, busy, Rule(), sources=SOURCES, turns=slower).moved
    # The phases share the median of the turns as they share their own: 9 of 10 ms, and 11 of 12.
    assert moved == (Movement("phase", "wait", pytest.approx(0.009), pytest.approx(0.0125 * 11 / 12)),)


def test_model_and_the_api_that_serves_it_are_comparable(make_profile: MakeProfile) -> None:
    comparison = compared(make_profile(QUIET), make_profile(QUIET, **exchange("http://a", 0.009)))
    assert comparison.differences == ()
    other = make_profile(QUIET, **exchange("http://a", 0.009))
    put = replace(other, target=replace(other.target, method="PUT"))
    with pytest.raises(UsageError, match="method POST and PUT"):
        compared(other, put)


def test_functions_that_only_one_run_measured_have_not_moved(make_profile: MakeProfile) -> None:
    profiled, interrupted = make_profile(QUIET, functions=(make_function("f", 1, 0.5),)), make_profile(QUIET)
    assert compared(profiled, interrupted).moved == compared(interrupted, profiled).moved == ()


def monitored(*functions: tuple[str, float, int]) -> dict[str, object]:
    """An API that logged 40 profiled requests, each with its five functions of most time."""
    named = tuple(replace(make_function(name, 1, share), records=records) for name, share, records in functions)
    return exchange("http://a", 0.009) | {"server": ServerView({}, None, 40, named, profiled=40)}


def test_function_that_is_not_among_the_five_of_a_server_takes_not_no_time(make_profile: MakeProfile) -> None:
    base = monitored(("predict", 0.5, 40), ("sanitize", 0.2, 40), ("held_up", 0.9, 1), ("fifth", 0.1, 30))
    new = monitored(("predict", 0.3, 39), ("get_loc", 0.2, 40), ("held_up", 0.1, 40), ("fifth", 0.3, 40))
    moved = compared(make_profile(QUIET, **base), make_profile(QUIET, **new)).moved
    assert [(movement.name, round(movement.difference_s, 6)) for movement in moved] == [("predict model.py", -0.002)]


def test_parts_of_a_model_are_not_those_of_the_api_that_serves_it(make_profile: MakeProfile) -> None:
    tree = (CallNode("whole", "m.py", 1, False, 0, 1.0, 0.01, 0.01),)
    model = make_profile(
        QUIET, stages=make_stages(scale=0.2, predict=0.8), functions=(make_function("f", 1, 0.2),), call_tree=tree
    )
    api = monitored(("f", 0.8, 40)) | {"stages": make_stages(wait=0.7, rest=0.3), "call_tree": tree}
    for one, other in ((model, make_profile(QUIET, **api)), (make_profile(QUIET, **api), model)):
        comparison = compared(one, other)
        assert (comparison.moved, comparison.call_tree) == ((), ())


def test_function_is_comparable_with_a_method_and_two_methods_are_not(make_profile: MakeProfile) -> None:
    function, method, other = (
        make_profile(QUIET, target=TargetDescription("model", f"m:{name}", name, 1, 1, "abc"))
        for name in ("call", "predict", "predict_proba")
    )
    assert compared(function, method).differences == compared(method, function).differences == ()
    with pytest.raises(UsageError, match="method predict and predict_proba"):
        compared(method, other)


def test_part_that_moved_by_no_more_than_noise_is_not_named(make_profile: MakeProfile) -> None:
    # A call takes 10 ms; a tenth of it moved from one stage to another, and a hundredth to a third.
    base = make_profile(QUIET, stages=make_stages(scale=0.2, predict=0.5, rest=0.3))
    new = make_profile(QUIET, stages=make_stages(scale=0.31, predict=0.4, rest=0.29))
    comparison = compared(base, new)
    assert comparison.change == "same"
    assert [movement.name for movement in comparison.moved] == ["scale", "predict"]
    assert compared(base, make_profile(QUIET, stages=make_stages(scale=0.24, predict=0.47, rest=0.29))).moved == ()


def test_part_of_a_slower_call_must_move_by_more_than_its_median_is_known(make_profile: MakeProfile) -> None:
    wide = [0.010 * (0.9 + 0.2 * ((number * 377) % 1000) / 1000) for number in range(1000)]
    base = make_profile(wide, stages=make_stages(scale=0.2, predict=0.8))
    new = make_profile([1.5 * each for each in wide], stages=make_stages(scale=0.139, predict=0.861))
    comparison = compared(base, new)
    (median,) = comparison.metrics
    assert comparison.change == "slower"
    # Scale took 2.00 ms and takes 2.085: less than the 10 ms are known by, and more than half a per cent of them.
    assert 0.0085 < (median.ci_high - median.ci_low) / 2 < 0.1
    assert [movement.name for movement in comparison.moved] == ["predict"]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"cpu_model": "Other CPU"}, "cpu model Test CPU and Other CPU"),
        ({"python_version": "3.13.1"}, "python version 3.11.7 and 3.13.1"),
        ({"libraries": {"scikit-learn": "1.8.0"}}, "scikit-learn 1.7.2 and 1.8.0"),
        ({"cpus": 8}, "cpus 2 and 8"),
    ],
)
def test_other_machines_and_versions_are_refused_unless_forced(
    make_profile: MakeProfile, change: dict[str, object], difference: str
) -> None:
    base = make_profile(QUIET)
    new = replace(base, environment=replace(base.environment, **change))
    with pytest.raises(UsageError, match=difference):
        compared(base, new)
    assert compared(base, new, force=True).differences == (difference,)


def test_other_payloads_are_refused_and_other_targets_are_not(make_profile: MakeProfile) -> None:
    base = make_profile(QUIET)
    with pytest.raises(UsageError, match="payloads abc and def"):
        compared(base, replace(base, target=replace(base.target, payload_digest="def")))
    assert compared(base, replace(base, target=replace(base.target, name="other"))).differences == ()


def test_profile_and_load_cannot_be_compared_even_by_force(make_profile: MakeProfile, make_load: MakeLoad) -> None:
    with pytest.raises(UsageError, match="A profile cannot be compared"):
        compared(make_profile(QUIET), make_load(QUIET), force=True)


def test_results_without_samples_are_refused_by_name(make_profile: MakeProfile, make_load: MakeLoad) -> None:
    with pytest.raises(MeasurementError, match=r"new\.json holds no samples"):
        compared(make_profile(QUIET), make_profile([]))
    with pytest.raises(MeasurementError, match=r"base\.json holds no samples"):
        compared(make_load(), make_load(QUIET))


def steady_load(make_load: MakeLoad, make_second: Callable[..., LoadSecond], samples: Sequence[float]) -> LoadResult:
    seconds = tuple(make_second(float(start), samples[start * 100 : start * 100 + 100]) for start in range(10))
    return make_load(samples, seconds=seconds, endpoints={"/a": samples, "/b": [0.001] * 10})


@pytest.mark.parametrize("scheduled", [None, 0], ids=["closed loop", "open loop"])
def test_the_end_of_a_load_is_no_drift(
    make_load: MakeLoad, make_second: Callable[..., LoadSecond], scheduled: int | None
) -> None:
    """What came after the last full second: ten answers that took a second each."""
    full = [make_second(float(start), QUIET[start * 100 : start * 100 + 100]) for start in range(3)]
    last = make_second(3.0, [1.0] * 10, elapsed_s=0.9, scheduled=scheduled)
    load = make_load([*QUIET[:300], *[1.0] * 10], seconds=(*full, last))

    comparison = compared(load, load)

    median, p95 = comparison.metrics
    assert (median.change, median.ratio) == ("same", 1.0)
    assert p95.change == "inconclusive"
    assert "the machine drifted by 0." in comparison.warnings[-1].message


def test_a_load_that_was_slower_for_a_third_of_its_requests_drifted(
    make_load: MakeLoad, make_second: Callable[..., LoadSecond]
) -> None:
    samples = [*[0.010] * 200, *[0.015] * 100]
    seconds = tuple(make_second(float(start), samples[start * 100 : start * 100 + 100]) for start in range(3))
    load = make_load(samples, seconds=seconds)
    assert "the machine drifted by 50.0 %" in compared(load, load).warnings[-1].message


def slow_load(make_load: MakeLoad, make_second: Callable[..., LoadSecond], latency_s: float, count: int) -> LoadResult:
    """One user and a slow service: five answers a second, too few for the median of a second."""
    samples = [latency_s * (1 + number * 7 % 5 / 1000) for number in range(count)]
    seconds = tuple(make_second(float(n), samples[5 * n : 5 * n + 5]) for n in range(-(-count // 5)))
    return make_load(samples, seconds=seconds)


def test_slow_services_are_compared(make_load: MakeLoad, make_second: Callable[..., LoadSecond]) -> None:
    base, new = (slow_load(make_load, make_second, latency_s, 100) for latency_s in (0.2, 0.3))
    assert base.seconds[0].latency.p50_s is None
    comparison = compared(base, new)
    assert (comparison.base.independent_samples, comparison.change) == (100, "slower")
    assert "the machine drifted by 0." in comparison.warnings[-1].message


def test_slow_services_drift(make_load: MakeLoad, make_second: Callable[..., LoadSecond]) -> None:
    steady, slowed = (slow_load(make_load, make_second, latency_s, 100) for latency_s in (0.2, 0.3))
    seconds = (*steady.seconds[:14], *slowed.seconds[14:])
    drifting = replace(steady, seconds=seconds)
    assert "the machine drifted by 50." in compared(drifting, slowed).warnings[-1].message


def test_nothing_is_said_of_a_drift_that_nobody_saw(
    make_load: MakeLoad, make_second: Callable[..., LoadSecond]
) -> None:
    short = slow_load(make_load, make_second, 0.2, 5)
    comparison = compared(short, short)
    assert (comparison.base.independent_samples, comparison.metrics[0].further_runs) == (5, 5)
    assert comparison.warnings[-1].message == (
        "The two runs were measured at different times. How the machine drifted between them cannot be seen."
    )


def test_loads_are_compared_by_median_and_tails(make_load: MakeLoad, make_second: Callable[..., LoadSecond]) -> None:
    # Three of a hundred requests take 30 ms, in the new run 60 ms: only the p99 moved.
    base = steady_load(make_load, make_second, [0.030 if n % 100 >= 97 else s for n, s in enumerate(QUIET)])
    new = steady_load(make_load, make_second, [0.060 if n % 100 >= 97 else s for n, s in enumerate(QUIET)])
    comparison = compared(base, new)
    assert [(metric.metric, metric.change) for metric in comparison.metrics] == [
        ("median", "same"),
        ("p95", "same"),
        ("p99", "slower"),
    ]
    assert comparison.metrics[2].ratio == pytest.approx(2.0, rel=2e-3)
    slower = compared(base, steady_load(make_load, make_second, [sample * 1.2 for sample in QUIET]))
    assert slower.change == "slower"
    assert slower.moved == (Movement("endpoint", "/a", pytest.approx(0.010, rel=1e-2), pytest.approx(0.012, rel=1e-2)),)


def test_percentiles_without_the_samples_are_left_out_and_that_is_said(
    make_load: MakeLoad, make_second: Callable[..., LoadSecond]
) -> None:
    short = steady_load(make_load, make_second, QUIET[:400])
    comparison = compared(short, short)
    assert [metric.metric for metric in comparison.metrics] == ["median", "p95"]
    assert comparison.warnings[0].message == "p99 was not compared: it needs 459 samples, and one side has 400."


@pytest.mark.parametrize(
    ("factor", "fail_if", "code"),
    [
        (1.1, ("slower",), ExitCode.FAILED),
        (0.9, ("slower",), ExitCode.OK),
        (0.9, ("slower", "faster"), ExitCode.FAILED),
        (1.0, ("slower",), ExitCode.OK),
        (1.05, ("slower",), ExitCode.INCONCLUSIVE),
        (1.05, (), ExitCode.OK),
        (1.1, (), ExitCode.OK),
    ],
)
def test_exit_code_follows_what_shall_fail(
    make_profile: MakeProfile, factor: float, fail_if: tuple[str, ...], code: ExitCode
) -> None:
    comparison = compared(make_profile(QUIET), make_profile([sample * factor for sample in QUIET]))
    assert exit_code(comparison, fail_if) == code


def test_comparison_survives_its_json(make_profile: MakeProfile) -> None:
    base = make_profile(QUIET, stages=make_stages(a=0.1))
    new = make_profile([sample * 1.2 for sample in QUIET], stages=make_stages(a=0.3))
    turns = [*[Turn((0.010, 0.011), (0.012, 0.013))] * 7, Turn((0.010, 0.011), (0.012, 0.013), payloads=2)]
    comparison = compare(base, new, Rule(), sources=SOURCES, turns=turns)
    document = encode_comparison(comparison)
    assert document["turns"][0] == {"base_ms": [10.0, 11.0], "new_ms": [12.0, 13.0], "payloads": 1}
    assert document["moved"] == [{"part": "stage", "name": "a", "base_ms": 1.05, "new_ms": 3.75, "difference_ms": 2.7}]
    assert encode_comparison(decode_comparison(document)) == document
    assert decode_comparison(document).turns == comparison.turns
    first_version = {**document, "turns": [{"base_ms": [10.0], "new_ms": [12.0]}]}
    assert decode_comparison(first_version).turns == (Turn((0.010,), (0.012,)),)


def test_turn_of_several_payloads_compares_the_means_over_payloads_of_their_medians() -> None:
    turn = Turn((0.001, 0.010, 0.003, 0.020, 0.002, 0.012), (0.002, 0.010, 0.002, 0.090, 0.009, 0.016), payloads=2)
    assert (turn.base_call_s, turn.new_call_s) == pytest.approx((0.007, 0.009))
    assert turn.log_ratio == pytest.approx(math.log(9 / 7))


@pytest.mark.parametrize(
    ("base_s", "new_s"),
    [
        ((1.0, 10.0, 100.0) * 2, (1.0, 10.0, 100.0, 1.0)),
        ((1.0, 10.0), (1.0, 10.0, 100.0)),
        ((1.0, 10.0, 100.0), (1.0,)),
    ],
)
def test_turn_compares_the_same_payloads_however_often_each_side_had_them(
    base_s: tuple[float, ...], new_s: tuple[float, ...]
) -> None:
    assert Turn(base_s, new_s, payloads=3).log_ratio == 0


def failing_load(
    make_load: MakeLoad, make_second: Callable[..., LoadSecond], failures: Sequence[int], factor: float = 1.0
) -> LoadResult:
    """Ten seconds of a hundred successes each, and in each so many failures beside them."""
    samples = [sample * factor for sample in QUIET]
    seconds = tuple(
        make_second(float(start), samples[start * 100 : start * 100 + 100], failures=failed)
        for start, failed in enumerate(failures)
    )
    return make_load(samples, sum(failures), seconds=seconds)


@pytest.mark.parametrize(
    ("base", "new", "expected", "change", "sentence"),
    [
        ([0] * 10, [100] * 10, (0.0, 0.5, "more"), "slower", "More requests fail: 50.0 %, and 0 % before."),
        ([100] * 10, [0] * 10, (0.5, 0.0, "not more"), "same", "No change of 5.0 % or more."),
        ([100] * 10, [100] * 10, (0.5, 0.5, "not more"), "same", "No change of 5.0 % or more."),
        # One failure among a thousand may be chance, and one second without answers, too.
        ([0] * 10, [0] * 9 + [1], (0.0, 1 / 1001, "not more"), "same", "No change of 5.0 % or more."),
        (
            [0] * 10,
            [0] * 9 + [100],
            (0.0, 1 / 11, "inconclusive"),
            "inconclusive",
            "Inconclusive: 9.09 % of the requests failed, and 0 % before, which may be chance.",
        ),
    ],
)
def test_loads_are_compared_by_their_failures(
    make_load: MakeLoad,
    make_second: Callable[..., LoadSecond],
    base: list[int],
    new: list[int],
    expected: tuple[float, float, str],
    change: str,
    sentence: str,
) -> None:
    comparison = compared(*(failing_load(make_load, make_second, failures) for failures in (base, new)))
    failures = comparison.failures
    assert failures is not None
    assert (failures.base_ratio, failures.new_ratio, failures.change) == (
        *map(pytest.approx, expected[:2]),
        expected[2],
    )
    assert (comparison.change, describe_comparison(comparison)) == (change, sentence)
    assert decode_comparison(encode_comparison(comparison)).failures == failures


def test_more_failures_outweigh_answers_that_became_faster(
    make_load: MakeLoad, make_second: Callable[..., LoadSecond]
) -> None:
    base = failing_load(make_load, make_second, [0] * 10)
    comparison = compared(base, failing_load(make_load, make_second, [20] * 10, factor=0.5))
    assert {metric.change for metric in comparison.metrics} == {"faster"}
    assert (comparison.change, exit_code(comparison, ["slower"])) == ("slower", ExitCode.FAILED)


def test_generator_that_could_not_keep_up_proves_nothing(
    make_load: MakeLoad, make_second: Callable[..., LoadSecond]
) -> None:
    base = failing_load(make_load, make_second, [0] * 10)
    bound = GeneratorReport("generator-bound", ("it was stopped",), 0.2, None, None, 1)
    new = replace(failing_load(make_load, make_second, [0] * 10, factor=1.5), generator=bound)
    comparison = compared(base, new)
    assert (comparison.change, exit_code(comparison, ["slower"])) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert describe_comparison(comparison) == "Inconclusive: more samples would not tell."
    (doubt,) = (warning for warning in comparison.warnings if warning.code == "generator_bound")
    assert doubt.message == "In the new run the generator could not keep up: it was stopped."


@pytest.mark.parametrize(
    ("dropping", "factor", "change"),
    [
        ("base", 1.5, "inconclusive"),
        ("base", 0.5, "faster"),
        ("new", 1.0, "inconclusive"),
        ("new", 0.5, "inconclusive"),
        ("new", 1.5, "slower"),
    ],
)
def test_run_that_dropped_arrivals_is_slower_than_it_seems(
    make_load: MakeLoad, make_second: Callable[..., LoadSecond], dropping: str, factor: float, change: str
) -> None:
    runs = {
        "base": failing_load(make_load, make_second, [0] * 10),
        "new": failing_load(make_load, make_second, [0] * 10, factor=factor),
    }
    nothing = Quantiles(None, None, None, None, None, None, None)
    runs[dropping] = replace(runs[dropping], arrivals=Arrivals(2000, 1000, 0, 1000, nothing))
    comparison = compared(runs["base"], runs["new"])
    assert comparison.change == change
    assert "dropped 1000 of 2000 arrivals" in "".join(warning.message for warning in comparison.warnings)


def test_loads_of_other_batches_are_not_comparable(make_load: MakeLoad) -> None:
    base = make_load(QUIET)
    batched = replace(base, description=replace(base.description, rows=64))
    with pytest.raises(UsageError, match="rows 1 and 64"):
        compared(base, batched)
