from __future__ import annotations

import pytest

from perfcli.records import Environment
from perfcli.records.capacity import CapacityOutcome, CapacityResult, Probe, WorkerSetting
from perfcli.records.capacity_codec import decode_capacity, encode_capacity
from perfcli.verdicts.workers import choose_workers

HERE = Environment("1.0", "3.11.7", "Linux", None, 2, 1, None)


def searched(
    workers: int,
    capacity: float | None,
    outcome: CapacityOutcome = "found",
    *,
    held: float | None = None,
    partial: bool = False,
) -> CapacityResult:
    probe = Probe(10.0 * workers, "holds", "", 4.0, 10.0, 0.0, 0.020, 0.024, None, 1.0, 1.0, ())
    return CapacityResult(
        url="http://127.0.0.1:1/predict",
        by="rate",
        slos=("p99 < 50ms",),
        environment=HERE,
        started_at="2026-01-02T03:04:05+00:00",
        probes=(probe,),
        capacity=capacity,
        upper=None if capacity is None else capacity * 1.04,
        knee=None,
        outcome=outcome,
        reason="" if outcome == "found" else f"{outcome} with {workers}",
        warnings=(),
        partial=partial,
        workers=workers,
        held=held if capacity is None else capacity,
    )


@pytest.mark.parametrize(
    ("capacities", "worth"),
    [
        ({1: 100.0, 2: 190.0, 4: 370.0}, 4),
        ({1: 100.0, 2: 190.0, 4: 195.0}, 2),
        ({1: 100.0, 2: 110.0}, 1),
        ({1: 100.0, 2: 112.0}, 2),
        ({1: 200.0, 2: 180.0, 4: 90.0}, 1),
        ({2: 50.0}, 2),
    ],
)
def test_fewest_workers_that_hold_nearly_the_most_are_worth_it(capacities: dict[int, float], worth: int) -> None:
    chosen = choose_workers([searched(workers, capacity) for workers, capacity in capacities.items()])
    assert (chosen.workers, chosen.capacity, chosen.outcome) == (worth, capacities[worth], "found")
    assert [(setting.workers, setting.capacity) for setting in chosen.settings] == sorted(capacities.items())


def test_each_setting_keeps_its_own_probes_and_answer() -> None:
    chosen = choose_workers([searched(2, 190.0), searched(1, 100.0)])
    assert chosen.settings == (
        WorkerSetting(1, searched(1, 100.0).probes, 100.0, 104.0, "found", "", 100.0),
        WorkerSetting(2, searched(2, 190.0).probes, 190.0, pytest.approx(197.6), "found", "", 190.0),
    )
    assert chosen.probes == searched(2, 190.0).probes


def test_workers_that_hold_nothing_are_never_worth_more_than_those_that_hold_something() -> None:
    chosen = choose_workers([searched(1, None, "below"), searched(2, 20.0)])
    assert (chosen.workers, chosen.outcome) == (2, "found")


def test_there_is_no_capacity_when_no_number_of_workers_holds_the_slos() -> None:
    chosen = choose_workers([searched(1, None, "below"), searched(2, None, "below")])
    assert (chosen.workers, chosen.outcome, chosen.reason) == (1, "below", "below with 1")


@pytest.mark.parametrize("outcome", ["generator-bound", "unconfirmed"])
def test_choice_is_one_as_far_as_is_known_while_one_number_of_workers_is_not_sure(outcome: CapacityOutcome) -> None:
    chosen = choose_workers([searched(1, 100.0), searched(2, None, outcome, held=190.0), searched(4, 300.0)])
    assert (chosen.workers, chosen.capacity, chosen.outcome) == (4, 300.0, outcome)
    assert chosen.reason == f"2 workers: {outcome} with 2"
    assert [setting.capacity for setting in chosen.settings] == [100.0, None, 300.0]
    # What held without being confirmed is the least that this number holds.
    unsure = choose_workers([searched(1, 100.0), searched(2, None, outcome, held=190.0), searched(4, 200.0)])
    assert (unsure.workers, unsure.capacity, unsure.held, unsure.outcome) == (2, None, 190.0, outcome)


def test_interruption_of_one_search_is_one_of_all() -> None:
    assert choose_workers([searched(1, 100.0), searched(2, None, "unconfirmed", partial=True)]).partial


def test_no_results_are_no_choice() -> None:
    with pytest.raises(ValueError, match="no choice"):
        choose_workers([])


def test_settings_survive_their_json_and_older_records_have_none() -> None:
    chosen = choose_workers([searched(1, 100.0), searched(2, 190.0)])
    document = encode_capacity(chosen)
    assert [setting["probes"][0]["p50_ms"] for setting in document["settings"]] == [20.0, 20.0]  # type: ignore[index,attr-defined]
    assert decode_capacity(document) == chosen
    del document["settings"], document["workers"]
    older = decode_capacity(document)
    assert (older.workers, older.settings) == (None, ())
