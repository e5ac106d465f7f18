"""Merged seconds are the sum of their parts, histograms included."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.loadtest.engine.faults import Kind
from perfcli.loadtest.engine.merge import Merger, merge_ends, merge_latencies, merge_seconds
from perfcli.loadtest.engine.recorder import Recorder
from perfcli.loadtest.messages import End, Endpoint, Latencies, ScenarioError, Second

latencies = st.lists(st.integers(1, 10**9), max_size=50)


def _second(index: int = 0, *, endpoints: tuple[Endpoint, ...] = (), lag: Latencies | None = None, **values) -> Second:
    numbers = {"users": 1, "in_flight": 1, "scheduled": 5, "sent": 4, "late": 1, "dropped": 1, "resent": 1} | values
    return Second(
        index=index,
        elapsed_s=1.0,
        in_flight_ns=700_000_000,
        cpu_ratio=0.5,
        rss_bytes=100,
        further=3,
        silent=2,
        lag=lag or Latencies({}, 0, 0),
        endpoints=endpoints,
        **numbers,
    )


def _record(recorder: Recorder, values: list[int]) -> None:
    for number, value in enumerate(values):
        recorder.sent(0, value)
        key = ("POST", f"/{number % 2}")
        if number % 3:
            recorder.succeeded(key, 0, value // 2, value)
        else:
            recorder.failed(key, 0, value // 2, value, Kind.RESET, "gone")


def _by_name(endpoints):
    return {endpoint.name: endpoint for endpoint in endpoints}


@given(st.lists(latencies, min_size=1, max_size=4))
def test_what_several_processes_recorded_is_what_one_would_have(parts) -> None:
    one = Recorder(open_loop=True)
    seconds = []
    for part in parts:
        own = Recorder(open_loop=True)
        _record(own, part)
        _record(one, part)
        _, lag, endpoints = own.take()
        seconds.append(_second(endpoints=endpoints, lag=lag))
    merged = merge_seconds(seconds)
    _, lag, endpoints = one.take()
    assert merged.lag == lag
    assert _by_name(merged.endpoints) == _by_name(endpoints)


def test_numbers_add_up_and_the_busiest_process_counts() -> None:
    merged = merge_seconds([_second(), _second(users=3)])
    assert (merged.users, merged.in_flight, merged.scheduled, merged.sent) == (4, 2, 10, 8)
    assert merged.in_flight_ns == 1_400_000_000
    assert (merged.late, merged.dropped, merged.resent) == (2, 2, 2)
    assert (merged.further, merged.silent, merged.due) == (6, 4, 12)
    assert (merged.cpu_ratio, merged.rss_bytes, merged.elapsed_s) == (0.5, 200, 1.0)


def test_answers_that_say_the_same_of_the_server_are_added_up() -> None:
    parts = [_second(server_timing={"total;dur=1": 2.5, "total;dur=2": 1.0}), _second(server_timing={"total;dur=1": 4})]
    assert merge_seconds(parts).server_timing == {"total;dur=1": 6.5, "total;dur=2": 1.0}


def test_a_second_is_held_back_until_every_worker_has_reported_it() -> None:
    merger = Merger(["a", "b"])
    assert merger.add("a", _second(0)) == []
    assert merger.add("a", _second(1)) == []
    [first] = merger.add("b", _second(0))
    assert (first.index, first.sent) == (0, 8)


def test_a_worker_that_left_is_not_waited_for_and_what_it_reported_is_kept() -> None:
    merger = Merger(["a", "b"])
    merger.add("b", _second(0))
    merger.add("a", _second(0))
    merger.add("a", _second(1))
    [second] = merger.leave("b")
    assert (second.index, second.sent) == (1, 4)
    assert merger.leave("a") == []


def test_the_last_seconds_come_out_when_all_have_left() -> None:
    merger = Merger(["a", "b"])
    merger.add("a", _second(3))
    assert merger.leave("a") == []
    assert [second.index for second in merger.leave("b")] == [3]


def test_ends_add_up_and_the_most_frequent_reason_stands() -> None:
    def end(reason: str, *errors: ScenarioError) -> End:
        return End(
            reason,
            2.0,
            0.1,
            scheduled=3,
            sent=2,
            late=1,
            dropped=1,
            incomplete=1,
            scenario_errors=errors,
            paths=("/v2/infer",),
        )

    merged = merge_ends(
        [
            end("duration", ScenarioError("KeyError", 2, "first")),
            end("interrupted", ScenarioError("KeyError", 1, "second"), ScenarioError("OSError", 1, "third")),
            end("interrupted"),
        ]
    )
    assert merged == End(
        "interrupted",
        2.0,
        0.1,
        scheduled=9,
        sent=6,
        late=3,
        dropped=3,
        incomplete=3,
        paths=("/v2/infer",),
        scenario_errors=(ScenarioError("KeyError", 3, "first"), ScenarioError("OSError", 1, "third")),
    )


def test_merging_nothing_is_nothing() -> None:
    assert merge_latencies([]) == Latencies({}, 0, 0)


def _lasting(index: int, elapsed_s: float) -> Second:
    return replace(_second(index), elapsed_s=elapsed_s)


def test_what_a_worker_that_comes_back_reports_of_seconds_already_told_is_counted_in_the_next() -> None:
    merger = Merger(["a", "b"])
    told = [*merger.add("a", _second(0)), *merger.add("b", _second(0))]
    for index in (1, 2, 3):
        told += merger.add("a", _second(index))
    told += merger.leave("b")

    # What it did not sleep through comes at once: one long second, and those after it next to empty.
    for index, elapsed_s in ((1, 3.0), (2, 0.0), (3, 0.0)):
        told += merger.add("b", _lasting(index, elapsed_s))
    told += merger.add("a", _second(4))
    assert [second.index for second in told] == [0, 1, 2, 3], "it is waited for again"
    told += merger.add("b", _second(4))

    assert [(second.index, second.elapsed_s) for second in told] == [(index, 1.0) for index in range(5)]
    assert sum(second.sent for second in told) == 2 * 5 * 4
    last = told[-1]
    assert (last.sent, last.users, last.in_flight, last.rss_bytes, last.cpu_ratio) == (4 * 5, 2, 2, 200, 0.5)


def test_a_worker_that_stands_still_does_not_make_the_run_longer() -> None:
    merger = Merger(["a", "b"])
    told = []
    for index, elapsed_s in enumerate([1.0, 5.5, 0.001, 0.001, 0.001, 0.001, 0.496, 1.0]):
        told += [*merger.add("a", _second(index)), *merger.add("b", _lasting(index, elapsed_s))]
    assert sum(second.elapsed_s for second in told) == pytest.approx(8.0)
    assert [round(second.elapsed_s, 1) for second in told] == [1.0] * 5 + [1.5, 0.5, 1.0]


def test_what_comes_late_is_not_lost_when_nothing_follows() -> None:
    merger = Merger(["a", "b"])
    merger.add("a", _second(0))
    merger.leave("b")
    assert [*merger.leave("a"), *merger.add("b", _lasting(0, 1.25))] == []
    [rest] = merger.leave("b")
    assert (rest.index, rest.sent, rest.elapsed_s) == (1, 4, 0.25)


def test_the_last_second_of_a_run_ends_with_its_last_worker() -> None:
    merger = Merger(["a", "b"])
    told = merger.add("a", _lasting(0, 0.8))
    told += merger.leave("a")
    told += merger.add("b", _lasting(0, 0.7))
    assert [second.elapsed_s for second in told] == [0.8]


def test_a_worker_has_reported_up_to_the_end_of_its_last_second() -> None:
    merger = Merger(["a", "b"])
    merger.add("a", _second(0))
    merger.add("a", _lasting(1, 1.5))
    assert (merger.reported_s("a"), merger.reported_s("b")) == (2.5, 0.0)
