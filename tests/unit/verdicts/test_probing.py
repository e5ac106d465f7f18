from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from perfcli.records.load import Arrivals, GeneratorReport, LoadResult, LoadSecond, Quantiles
from perfcli.verdicts.probing import is_decided, is_unanswered, judge_probe, queue_grows
from perfcli.verdicts.slo import parse_slo

SLOS = [parse_slo("p99 < 50ms"), parse_slo("error_rate < 1%")]


def test_probe_without_a_success_ends_where_the_service_has_to_answer(
    run: Callable[..., LoadResult],
) -> None:
    slow = [parse_slo("p99 < 50ms")]
    result = run([0.020] * 5, [4] * 5)
    failing = tuple(replace(second, failures=second.requests) for second in result.seconds)
    total = replace(result.total, failures=result.total.requests)
    nothing = replace(result, seconds=failing, total=total)
    one = replace(nothing, seconds=(replace(failing[0], failures=0), *failing[1:]))
    assert (is_unanswered(nothing), is_unanswered(one)) == (True, False)
    assert is_unanswered(replace(nothing, seconds=())) is False
    assert is_decided(slow, 15.0, nothing, ends_unanswered=True)
    assert not is_decided(slow, 15.0, one, ends_unanswered=True)
    assert not is_decided(slow, 15.0, nothing)
    assert not is_decided(slow, 15.0, replace(nothing, seconds=failing[:3]), ends_unanswered=True)


@pytest.fixture
def run(make_load: Callable[..., LoadResult], make_second: Callable[..., LoadSecond]) -> Callable[..., LoadResult]:
    def make(latency_s: Sequence[float], in_flight: Sequence[int], **fields: object) -> LoadResult:
        seconds = [
            make_second(float(start), [each] * 200, in_flight=waiting, elapsed_s=1.0)
            for start, (each, waiting) in enumerate(zip(latency_s, in_flight, strict=True))
        ]
        samples = [each for each in latency_s for _ in range(200)]
        return make_load(samples, seconds=tuple(seconds), loop="open", **fields)

    return make


def test_probe_goes_on_until_it_is_steady_with_samples_enough(run: Callable[..., LoadResult]) -> None:
    assert not is_decided(SLOS, 15.0, run([0.020] * 3, [4] * 3))
    assert is_decided(SLOS, 15.0, run([0.020] * 4, [4] * 4))
    unsteady = [0.020, 0.020, 0.025, 0.030]
    assert not is_decided(SLOS, 15.0, run(unsteady, [4] * 4))
    # A run that confirms may take longer, for more samples, not for a steadiness that the machine does not have.
    assert is_decided(SLOS, 10.0, run(unsteady, [4] * 4))


def test_probe_ends_when_an_slo_is_lost_for_longer_than_a_burst_of_other_work_takes(
    run: Callable[..., LoadResult],
) -> None:
    burst = [0.100, 0.020, 0.020]
    assert not is_decided(SLOS, 15.0, run(burst, [4] * 3))
    lost = run([*burst, 0.100], [4] * 4)
    assert is_decided(SLOS, 15.0, lost)
    probe = judge_probe(200.0, lost, SLOS, allow_few=True)
    assert (probe.outcome, probe.reason) == ("fails", "p99 < 50ms: p99 is 100 ms")


def test_slo_that_a_late_generator_loses_is_not_lost(run: Callable[..., LoadResult]) -> None:
    assert not is_decided(SLOS, 15.0, run([0.100] * 4, [4] * 4, generator=BOUND))


def test_service_that_falls_far_behind_is_seen_to_at_once(
    run: Callable[..., LoadResult], make_second: Callable[..., LoadSecond]
) -> None:
    behind = run([0.100] * 2, [4] * 2)
    arrived = tuple(replace(second, scheduled=250) for second in behind.seconds)
    assert is_decided(SLOS, 15.0, replace(behind, seconds=arrived))
    assert not is_decided(SLOS, 15.0, replace(behind, seconds=arrived[:1]))
    # With two arrivals a second half of them may just be on their way.
    few = tuple(replace(second, scheduled=2, requests=1) for second in behind.seconds)
    assert not is_decided(SLOS, 15.0, replace(behind, seconds=few))


def test_probe_ends_when_the_queue_grows_even_if_the_slos_still_hold(run: Callable[..., LoadResult]) -> None:
    growing = run([0.020] * 4, [4, 30, 60, 90])
    assert queue_grows(growing)
    assert is_decided(SLOS, 15.0, growing)
    assert judge_probe(200.0, growing, SLOS, allow_few=False).outcome == "fails"


@pytest.mark.parametrize("waiting", [[4, 30, 60], [4, 30, 29, 90], [4, 5, 6, 7]])
def test_queue_that_only_varies_does_not_grow(run: Callable[..., LoadResult], waiting: list[int]) -> None:
    assert not queue_grows(run([0.020] * len(waiting), waiting))


def test_few_samples_are_enough_on_the_way_and_not_for_the_answer(make_load: Callable[..., LoadResult]) -> None:
    few = make_load([0.020] * 100)
    assert judge_probe(10.0, few, SLOS, allow_few=True).outcome == "holds"
    answer = judge_probe(10.0, few, SLOS, allow_few=False)
    assert answer.outcome == "inconclusive"
    assert answer.reason == "p99 < 50ms: p99 needs 459 samples, and there are 100"


def test_slo_that_is_proven_to_be_lost_fails_however_few_the_samples_are(run: Callable[..., LoadResult]) -> None:
    lost = run([0.100] * 2, [4] * 2)
    probe = judge_probe(200.0, lost, SLOS, allow_few=False)
    assert (probe.outcome, probe.reason) == ("fails", "p99 < 50ms: p99 is 100 ms")


BOUND = GeneratorReport("generator-bound", ("CPU at 99 %",), 0.99, None, None, 1)


def test_generator_that_is_the_limit_is_named(run: Callable[..., LoadResult]) -> None:
    for limited in (run([0.100] * 4, [4] * 4, generator=BOUND), run([0.020] * 4, [4, 30, 60, 90], generator=BOUND)):
        probe = judge_probe(9000.0, limited, SLOS, allow_few=False)
        assert (probe.outcome, probe.reason) == ("generator-bound", "the generator could not keep up: CPU at 99 %")


LATE = GeneratorReport("generator-bound", ("1.0 % were sent late",), 0.05, None, None, 1)


def test_generator_that_is_late_with_little_to_do_shows_a_busy_machine(
    run: Callable[..., LoadResult], make_second: Callable[..., LoadSecond]
) -> None:
    late = run([0.100] * 4, [4] * 4, generator=LATE)
    probe = judge_probe(200.0, late, SLOS, allow_few=False)
    assert probe.outcome == "disturbed"
    assert probe.reason == (
        "the machine was too busy: 1.0 % were sent late, although the generator needs 5.0 % of a core"
    )
    # 200 of 2000 arrivals a second took it a twentieth of a core: for all of them it would have needed a half.
    assert judge_probe(2000.0, late, SLOS, allow_few=False).outcome == "generator-bound"
    assert judge_probe(1999.0, late, SLOS, allow_few=False).outcome == "disturbed"


def test_failure_beside_other_programs_is_not_that_of_a_service_all_of_which_is_seen(
    run: Callable[..., LoadResult],
) -> None:
    # 0.8 of two cores were busy; the generator used 0.2 of one, the server 1.0: the others 0.4, of 0.3 allowed.
    lost = run([0.020] * 3 + [0.100], [4] * 4)

    def beside(machine: float, server: float | None = 1.0) -> LoadResult:
        seconds = (replace(each, machine_cpu_ratio=machine, server_cpu_ratio=server) for each in lost.seconds)
        return replace(lost, seconds=tuple(seconds))

    probe = judge_probe(200.0, beside(0.8), SLOS, allow_few=True, sees_all=True)
    assert (probe.outcome, probe.reason) == (
        "disturbed",
        "the machine was too busy: other programs used 0.4 of 2 cores; p99 < 50ms: p99 is 100 ms",
    )
    for seen, sees_all in ((beside(0.74), True), (beside(0.8), False), (beside(0.8, server=None), True)):
        assert judge_probe(200.0, seen, SLOS, allow_few=True, sees_all=sees_all).outcome == "fails"
    # No burst of other work makes every answer slow.
    slow = replace(beside(0.8), total=run([0.100] * 4, [4] * 4).total)
    assert judge_probe(200.0, slow, SLOS, allow_few=True, sees_all=True).outcome == "fails"


def test_slos_that_hold_in_spite_of_a_late_generator_do_hold(run: Callable[..., LoadResult]) -> None:
    late = run([0.020] * 4, [4] * 4, generator=BOUND)
    assert is_decided(SLOS, 15.0, late)
    assert judge_probe(80.0, late, SLOS, allow_few=False).outcome == "holds"


def test_users_wait_for_a_late_generator_so_that_it_hides_latency(make_load: Callable[..., LoadResult]) -> None:
    closed = make_load([0.020] * 800, generator=BOUND)
    assert judge_probe(8.0, closed, SLOS, allow_few=False).outcome == "generator-bound"


def test_dropped_arrivals_are_no_load_that_holds(run: Callable[..., LoadResult]) -> None:
    nothing = Quantiles(None, None, None, None, None, None, None)
    probe = judge_probe(
        90.0, run([0.020] * 4, [4] * 4, arrivals=Arrivals(900, 800, 0, 100, nothing)), SLOS, allow_few=False
    )
    assert (probe.outcome, probe.reason) == ("fails", "100 arrivals were dropped, because too many were in flight")


def test_rate_above_the_ceiling_of_the_generator_is_its_limit_though_it_waited(run: Callable[..., LoadResult]) -> None:
    outcomes = []
    for ceiling_rps in (150.0, 250.0):
        idle = replace(BOUND, cpu_ratio=0.2, ceiling_rps=ceiling_rps)
        late = run([0.100] * 4, [4] * 4, generator=idle)
        outcomes.append(judge_probe(200.0, late, SLOS, allow_few=True).outcome)
    assert outcomes == ["generator-bound", "disturbed"]
