from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from perfcli.errors import ExitCode
from perfcli.records import Environment
from perfcli.records.capacity import CapacityResult, Probe
from perfcli.records.capacity_codec import decode_capacity, encode_capacity
from perfcli.statistics import percentile
from perfcli.verdicts.capacity import Search, SearchPlan, exit_code, find_knee, search_capacity


def make_probe(load: float, outcome: str, throughput_rps: float = 0.0, p50_s: float | None = 0.02) -> Probe:
    reason = "" if outcome == "holds" else f"{load:g} {outcome}"
    return Probe(load, outcome, reason, 10.0, throughput_rps, 0.0, p50_s, None, None, 4.0, 1.0, ())


def server(capacity: float, noise: float = 0.0, seed: int = 0) -> Callable[[float, bool], Probe]:
    """Hold every load up to the capacity, which is a little another one each time; answer no more than that."""
    source = random.Random(seed)

    def probe(load: float, _: bool) -> Probe:
        today = capacity * (1 + source.uniform(-noise, noise))
        return make_probe(load, "holds" if load <= today else "fails", min(load, today))

    return probe


def searched(probe: Callable[[float, bool], Probe], **plan: object) -> Search:
    search = Search()
    search_capacity(probe, SearchPlan(**{"start": 50.0, **plan}), search)
    return search


@pytest.mark.parametrize("capacity", [3.0, 49.0, 50.0, 180.0, 200.0, 399.0, 401.0, 1234.0])
def test_capacity_is_found_within_five_percent_in_few_probes(capacity: float) -> None:
    search = searched(server(capacity))
    assert search.outcome == "found"
    assert capacity / 1.05 <= (search.capacity or 0) <= capacity
    assert (search.capacity or 0) < (search.upper or 0) <= (search.capacity or 0) * 1.05
    assert len(search.probes) <= 12


SLOTS = 4
BUSY_S = 0.02
PROBE_S = 5


def four_slots(bursts_per_s: float, seed: int) -> Callable[[float, bool], Probe]:
    """Queue evenly spaced arrivals for four slots of 20 ms, which a burst of other work stops for 150 ms at times."""
    source = random.Random(seed)

    def probe(load: float, _: bool) -> Probe:
        free = [0.0] * SLOTS
        burst_s = source.expovariate(bursts_per_s) if bursts_per_s else float("inf")
        latencies: list[float] = []
        for number in range(round(load * PROBE_S)):
            due_s = number / load
            if due_s > burst_s:
                free = [max(each, burst_s) + 0.15 for each in free]
                burst_s += source.expovariate(bursts_per_s)
            ends_s = max(due_s, heapq.heappop(free)) + BUSY_S
            heapq.heappush(free, ends_s)
            latencies.append(ends_s - due_s)
        answered = sum(number / load + each <= PROBE_S for number, each in enumerate(latencies))
        slow = percentile(latencies, 0.99) > 0.05
        return make_probe(load, "fails" if slow else "holds", answered / PROBE_S, percentile(latencies, 0.5))

    return probe


@pytest.mark.parametrize("bursts_per_s", [0.0, 0.02])
def test_server_of_four_slots_of_twenty_milliseconds_takes_at_most_ten_probes(bursts_per_s: float) -> None:
    searches = [searched(four_slots(bursts_per_s, seed)) for seed in range(5)]
    assert [search.outcome for search in searches] == ["found"] * 5
    capacities = [search.capacity or 0.0 for search in searches]
    assert capacities == [pytest.approx(200, rel=0.05)] * 5
    assert max(capacities) <= 1.05 * min(capacities)
    assert max(len(search.probes) for search in searches) <= 10


def test_burst_of_other_work_while_the_load_doubles_does_not_end_the_search_below_it() -> None:
    bursts = iter([False, True])

    def probe(load: float, confirming: bool) -> Probe:
        # At 100/s the service answers all that arrives, and one per cent of it too late.
        return make_probe(load, "fails", load) if next(bursts, False) else server(200.0)(load, confirming)

    search = searched(probe)
    assert [(probe.load, probe.outcome) for probe in search.probes[:3]] == [
        (50.0, "holds"),
        (100.0, "fails"),
        (100.0, "holds"),
    ]
    assert 200 / 1.05 <= (search.capacity or 0) <= 200


def test_service_that_is_slow_long_before_it_is_overloaded_has_its_knee_found() -> None:
    # Its answers come at up to 400 per second, but within the limit only at up to 150.
    def probe(load: float, _: bool) -> Probe:
        return make_probe(load, "holds" if load <= 150 else "fails", min(load, 400.0))

    search = searched(probe)
    assert search.outcome == "found"
    assert 150 / 1.05 <= (search.capacity or 0) <= 150
    assert len(search.probes) <= 14


def test_answer_is_confirmed_twice_with_samples_enough() -> None:
    asked: list[tuple[float, bool]] = []

    def probe(load: float, confirming: bool) -> Probe:
        asked.append((load, confirming))
        return server(200.0)(load, confirming)

    search = searched(probe)
    assert asked[-2:] == [(search.capacity, True)] * 2
    assert not any(confirming for _, confirming in asked[:-2])


def test_load_that_fails_its_confirmation_is_not_the_answer() -> None:
    lucky: list[float] = []

    def probe(load: float, _: bool) -> Probe:
        # The first time a load between 150 and 200 is tried it holds by luck.
        if 150 < load <= 200 and load not in lucky:
            lucky.append(load)
            return make_probe(load, "holds", load)
        return make_probe(load, "holds" if load <= 150 else "fails", min(load, 150))

    search = searched(probe, max_probes=30)
    assert search.outcome == "found"
    assert 150 / 1.05 <= (search.capacity or 0) <= 150


def test_users_are_whole_and_the_answer_is_exact() -> None:
    loads: list[float] = []

    def probe(load: float, confirming: bool) -> Probe:
        loads.append(load)
        return make_probe(load, "holds" if load <= 7 else "fails", 350.0)

    search = searched(probe, start=1.0, by="users")
    assert (search.capacity, search.upper) == (7.0, 8.0)
    assert all(load == int(load) for load in loads)


def test_slo_that_fails_at_the_lowest_load_has_no_capacity_and_says_why() -> None:
    search = searched(server(0.5))
    assert (search.outcome, search.capacity, search.reason) == ("below", None, "at 1.00/s already: 1 fails")
    assert search.probes[-1].load == 1.0


def test_lowest_load_that_failed_once_is_tried_once_more() -> None:
    burst = iter([True])

    def probe(load: float, _: bool) -> Probe:
        return make_probe(load, "fails" if load > 1 or next(burst, False) else "holds", 1.0)

    search = searched(probe, start=1.0, by="users")
    assert (search.outcome, search.capacity) == ("found", 1.0)


def test_no_capacity_above_what_the_generator_can_do() -> None:
    search = searched(lambda load, _: make_probe(load, "holds" if load < 300 else "generator-bound", load))
    assert (search.outcome, search.capacity, search.held) == ("generator-bound", None, 200.0)
    assert search.reason == "at 400/s 400 generator-bound; 200/s held"
    assert [probe.load for probe in search.probes[-3:]] == [400.0] * 3


def test_generator_that_was_disturbed_once_tries_again() -> None:
    disturbed = iter([True, False, True, True])

    def probe(load: float, confirming: bool) -> Probe:
        if next(disturbed, False):
            return make_probe(load, "generator-bound", load)
        return server(200.0)(load, confirming)

    search = searched(probe)
    assert search.outcome == "found"
    assert (search.capacity or 0) == pytest.approx(200, rel=0.05)


def test_machine_that_is_busy_for_some_time_does_not_end_a_search() -> None:
    # As many probes in a row as a busy minute spoils, at several stages of the search.
    for first, last in ((0, 8), (2, 10), (5, 13)):
        made: list[float] = []

        def probe(
            load: float, confirming: bool, first: int = first, last: int = last, made: list[float] = made
        ) -> Probe:
            made.append(load)
            if first <= len(made) - 1 < last:
                return make_probe(load, "disturbed", load)
            return server(200.0)(load, confirming)

        search = searched(probe, max_probes=12)
        assert search.outcome == "found", search.reason
        assert (search.capacity or 0) == pytest.approx(200, rel=0.05)


def test_machine_that_is_too_busy_for_a_load_has_a_lower_one_tried() -> None:
    busy = searched_for(lambda load: "disturbed" if load > 60 else "holds", max_time_s=15.0)
    assert [round(probe.load, 1) for probe in busy.probes[:6]] == [50.0, 100.0, 100.0, 70.7, 70.7, 59.5]
    assert (busy.outcome, busy.capacity, busy.held) == ("unconfirmed", None, pytest.approx(59.5, rel=1e-3))
    assert busy.reason == (
        "15.0 s (--max-time) were not enough to be sure; 59.5/s held; in 13 of 15 probes the machine was too busy"
    )


def test_machine_that_is_always_too_busy_is_blamed_and_nobody_else() -> None:
    search = searched_for(lambda _: "disturbed", max_time_s=12.0)
    assert (search.outcome, search.capacity, search.held, search.upper) == ("unconfirmed", None, None, None)
    assert search.reason == (
        "12.0 s (--max-time) were not enough to be sure; nothing held; in 12 of 12 probes the machine was too busy"
    )
    assert [probe.load for probe in search.probes] == [
        50,
        50,
        25,
        25,
        12.5,
        12.5,
        6.25,
        6.25,
        3.125,
        3.125,
        1.5625,
        1.5625,
    ]


def test_load_that_failed_once_is_not_condemned_by_another_that_fails_once() -> None:
    told = iter(["holds", "fails", "disturbed", "disturbed", "fails"])
    search = searched(lambda load, _: make_probe(load, next(told, "holds"), load), max_probes=4)
    assert [probe.load for probe in search.probes[:5]] == [50, 100, 100, 100, pytest.approx(70.7, rel=1e-3)]
    assert search.upper is None


def searched_for(outcome: Callable[[float], str], max_time_s: float) -> Search:
    """Search with probes of a second."""
    search, now = Search(), iter(range(1000))
    plan = SearchPlan(start=50.0, max_time_s=max_time_s)
    search_capacity(lambda load, _: make_probe(load, outcome(load), load), plan, search, lambda: max(0, next(now) - 1))
    return search


def test_confirmation_without_samples_enough_leaves_the_answer_open() -> None:
    def probe(load: float, confirming: bool) -> Probe:
        return make_probe(load, "inconclusive", load) if confirming else server(200.0)(load, confirming)

    search = searched(probe)
    assert (search.outcome, search.capacity) == ("unconfirmed", None)


def test_one_confirmation_without_samples_enough_is_made_again() -> None:
    confirmations = iter(["inconclusive"])

    def probe(load: float, confirming: bool) -> Probe:
        lacking = next(confirmations, None) if confirming else None
        return make_probe(load, lacking, load) if lacking else server(200.0)(load, confirming)

    search = searched(probe)
    assert search.outcome == "found"
    assert search.capacity == pytest.approx(200, rel=0.05)


def test_search_whose_probes_are_used_up_has_no_answer() -> None:
    search = searched(server(1e9), max_probes=3)
    assert [probe.load for probe in search.probes] == [50.0, 100.0, 200.0]
    assert (search.outcome, search.capacity, search.held) == ("unconfirmed", None, 200.0)
    assert search.reason == "3 probes (--max-probes) were not enough to be sure; 200/s held"


def test_search_says_what_it_knows_when_its_probes_are_used_up() -> None:
    search = searched(server(190.0), max_probes=7)
    assert search.reason == (
        "7 probes (--max-probes) were not enough to be sure; 187/s held, and was confirmed once, 195/s did not"
    )
    late = iter([True, False, True])
    disturbed = searched(
        lambda load, _: make_probe(load, "generator-bound" if next(late) else "holds", load), max_probes=3
    )
    assert disturbed.reason == (
        "3 probes (--max-probes) were not enough to be sure; 50.0/s held"
        "; in 2 of 3 probes the generator could not keep up"
    )
    nothing = searched(server(10.0), max_probes=2)
    assert nothing.reason == "2 probes (--max-probes) were not enough to be sure; nothing held, 25.0/s did not"


def test_search_starts_no_probe_when_its_time_is_up() -> None:
    clock = iter([0.0, 0.0, 60.0, 179.0, 181.0])
    search = Search()
    search_capacity(server(1e9), SearchPlan(start=50.0, max_time_s=180.0), search, lambda: next(clock))
    assert [probe.load for probe in search.probes] == [50.0, 100.0, 200.0]
    assert (search.outcome, search.reason) == (
        "unconfirmed",
        "3 m 00 s (--max-time) were not enough to be sure; 200/s held",
    )


def test_slo_that_was_not_measured_ends_the_search_without_an_answer() -> None:
    search = searched(lambda load, _: make_probe(load, "inconclusive", load))
    assert (search.outcome, search.reason, len(search.probes)) == ("unconfirmed", "50 inconclusive", 2)


def test_knee_is_the_last_load_whose_median_has_not_doubled() -> None:
    medians = {200.0: 0.5, 50.0: 0.020, 100.0: 0.025, 150.0: 0.040, 175.0: 0.041}
    assert find_knee([make_probe(load, "holds", load, median_s) for load, median_s in medians.items()]) == 150.0
    assert find_knee([make_probe(50.0, "holds")]) is None
    assert find_knee([make_probe(50.0, "holds", p50_s=None), make_probe(60.0, "holds")]) is None
    # Nobody has seen the median double.
    assert find_knee([make_probe(50.0, "holds", p50_s=0.020), make_probe(60.0, "holds", p50_s=0.040)]) is None


def test_knee_is_not_told_from_disturbed_probes() -> None:
    probes = [
        make_probe(50.0, "holds", p50_s=0.020),
        make_probe(100.0, "fails", p50_s=0.070),
        make_probe(100.0, "holds", p50_s=0.021),
        make_probe(200.0, "generator-bound", p50_s=0.9),
    ]
    assert find_knee(probes) is None
    assert find_knee([*probes, make_probe(150.0, "fails", p50_s=0.050)]) == 100.0


def make_result(outcome: str) -> CapacityResult:
    here = Environment("1.0", "3.11.7", "Linux", None, 2, 1, None)
    probes = (make_probe(50.0, "holds", 50.0), make_probe(100.0, "fails", 60.0, None))
    moment = "2026-01-02T03:04:05+00:00"
    slos = ("p99 < 50ms",)
    return CapacityResult(
        "http://a", "rate", slos, here, moment, probes, 50.0, 52.0, 50.0, outcome, "", (), partial=False
    )


@pytest.mark.parametrize(("outcome", "code"), [("found", 0), ("below", 1), ("generator-bound", 4), ("unconfirmed", 4)])
def test_exit_code_follows_the_outcome(outcome: str, code: int) -> None:
    assert exit_code(make_result(outcome)) == ExitCode(code)


def test_search_survives_its_json() -> None:
    document = encode_capacity(make_result("found"))
    assert document["probes"][0]["p50_ms"] == 20.0
    assert decode_capacity(document) == make_result("found")
