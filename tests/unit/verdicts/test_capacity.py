from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from perfcli.errors import ExitCode
from perfcli.records import Environment
from perfcli.records.capacity import CapacityResult, Probe
from perfcli.records.capacity_codec import decode_capacity, encode_capacity
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


def test_server_of_four_slots_of_twenty_milliseconds_takes_at_most_ten_probes() -> None:
    for seed in range(5):
        search = searched(server(200.0, noise=0.01, seed=seed))
        assert search.outcome == "found"
        assert (search.capacity or 0) == pytest.approx(200, rel=0.05)
        assert len(search.probes) <= 10


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

    def probe(load: float, confirming: bool) -> Probe:
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
    assert (search.outcome, search.capacity, search.reason) == ("below", None, "at 1 already: 1 fails")
    assert search.probes[-1].load == 1.0


def test_no_capacity_above_what_the_generator_can_do() -> None:
    search = searched(lambda load, _: make_probe(load, "holds" if load < 300 else "generator-bound", load))
    assert (search.outcome, search.capacity, search.reason) == ("generator-bound", None, "400 generator-bound")
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


def test_confirmation_without_samples_enough_leaves_the_answer_open() -> None:
    def probe(load: float, confirming: bool) -> Probe:
        return make_probe(load, "inconclusive", load) if confirming else server(200.0)(load, confirming)

    search = searched(probe)
    assert (search.outcome, search.capacity) == ("unconfirmed", None)


def test_search_whose_probes_are_used_up_has_no_answer() -> None:
    search = searched(server(1e9), max_probes=3)
    assert [probe.load for probe in search.probes] == [50.0, 100.0, 200.0]
    assert (search.outcome, search.capacity, search.reason) == (
        "unconfirmed",
        None,
        "3 probes were not enough to be sure",
    )


def test_knee_is_the_last_load_whose_median_has_not_doubled() -> None:
    medians = {200.0: 0.5, 50.0: 0.020, 100.0: 0.025, 150.0: 0.040, 175.0: 0.041}
    assert find_knee([make_probe(load, "holds", load, median_s) for load, median_s in medians.items()]) == 150.0
    assert find_knee([make_probe(50.0, "holds")]) is None
    assert find_knee([make_probe(50.0, "holds", p50_s=None), make_probe(60.0, "holds")]) is None


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
