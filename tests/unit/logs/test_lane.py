from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perfcli.logs.batch import Batch, Receipt, Rejection, StoreDownError, StoreRefusedError
from perfcli.logs.counters import SinkCounters
from perfcli.logs.entry import Record
from perfcli.logs.lane import Lane

Records = Callable[[int, int], list[Record]]
NewLane = Callable[..., Lane]


def test_records_are_delivered_in_order(new_lane: NewLane, store: Any, records: Records, ids_of: Any) -> None:
    lane = new_lane()
    lane.put(records(1, 700))
    assert lane.step()
    assert not lane.step()
    assert ids_of(store.batches) == [[f"r{n}" for n in range(1, 501)], [f"r{n}" for n in range(501, 701)]]
    assert lane.counters() == SinkCounters(delivered=700)


def test_a_failed_batch_is_retried_as_the_same_batch_after_the_wait(
    new_lane: NewLane, store: Any, records: Records, clock: Any
) -> None:
    lane = new_lane()
    store.answers = [StoreDownError("down"), StoreDownError("down")]
    lane.put(records(1, 3))
    assert not lane.step()
    clock.now_s += 0.99
    assert not lane.step()
    assert len(store.batches) == 1
    clock.now_s += 0.01
    assert not lane.step()
    clock.now_s += 1.99
    lane.step()
    assert len(store.batches) == 2
    clock.now_s += 0.01
    lane.step()
    assert store.batches == [store.batches[0]] * 3
    assert lane.counters() == SinkCounters(delivered=3, retried=6, spooled=3)


def test_without_a_spool_a_failed_batch_is_retried_from_memory(
    new_lane: NewLane, store: Any, records: Records, clock: Any
) -> None:
    lane = new_lane(spool=None)
    store.answers = [StoreDownError("down")]
    lane.put(records(1, 3))
    assert not lane.step()
    assert lane.counters() == SinkCounters(retried=3, waiting=3)
    clock.now_s += 1.0
    lane.step()
    assert store.batches == [store.batches[0]] * 2
    assert lane.counters() == SinkCounters(delivered=3, retried=3)


def test_what_comes_while_the_store_is_down_waits_on_disk_and_follows_in_order(
    new_lane: NewLane, store: Any, records: Records, clock: Any, ids_of: Any
) -> None:
    lane = new_lane()
    store.answers = [StoreDownError("down")]
    lane.put(records(1, 2))
    lane.step()
    lane.put(records(3, 4))
    lane.put(records(5, 5))
    assert lane.counters() == SinkCounters(retried=2, spooled=5)
    clock.now_s += 1.0
    assert lane.step()
    lane.put(records(6, 6))
    while lane.step():
        pass
    assert ids_of(store.batches[1:]) == [["r1", "r2"], ["r3", "r4", "r5"], ["r6"]]
    assert lane.counters() == SinkCounters(delivered=6, retried=2, spooled=5)


def test_another_process_delivers_what_a_closed_one_left(
    new_lane: NewLane, store: Any, records: Records, clock: Any, ids_of: Any
) -> None:
    first = new_lane()
    store.answers = [StoreDownError("down")]
    first.put(records(1, 2))
    first.step()
    first.put(records(3, 3))
    first.close(clock.now_s)
    assert first.counters() == SinkCounters(retried=2, spooled=3)
    second = new_lane()
    while second.step():
        pass
    assert ids_of(store.batches) == [["r1", "r2"], ["r1", "r2"], ["r3"]]
    assert store.batches[0].id == store.batches[1].id
    assert second.counters() == SinkCounters(delivered=3)


def test_only_the_items_that_the_store_sent_back_are_retried(
    new_lane: NewLane, store: Any, records: Records, clock: Any, ids_of: Any
) -> None:
    lane = new_lane()
    store.answers = [Receipt(again=tuple(records(2, 3)))]
    lane.put(records(1, 4))
    assert not lane.step()
    clock.now_s += 1.0
    lane.step()
    assert ids_of(store.batches) == [["r1", "r2", "r3", "r4"], ["r2", "r3"]]
    assert lane.counters() == SinkCounters(delivered=4, retried=2, spooled=2)


def test_items_of_a_spooled_batch_are_not_sent_again_once_delivered(
    new_lane: NewLane, store: Any, records: Records, clock: Any, ids_of: Any
) -> None:
    lane = new_lane()
    store.answers = [StoreDownError("down"), Receipt(again=tuple(records(2, 2)))]
    lane.put(records(1, 3))
    for _ in range(3):
        lane.step()
        clock.now_s += 2.0
    assert ids_of(store.batches) == [["r1", "r2", "r3"], ["r1", "r2", "r3"], ["r2"]]
    assert lane.counters() == SinkCounters(delivered=3, retried=4, spooled=3)


def test_a_rejected_record_goes_to_the_dead_letters_and_counts_as_dropped(
    new_lane: NewLane, store: Any, records: Records, tmp_path: Path
) -> None:
    lane = new_lane()
    store.answers = [Receipt(rejected=(Rejection(records(2, 2)[0], "mapper_parsing_exception"),))]
    lane.put(records(1, 3))
    lane.step()
    assert lane.counters() == SinkCounters(delivered=2, dropped=1, rejected=1)
    letter = json.loads((tmp_path / "rejected.jsonl").read_text())
    assert letter["reason"] == "mapper_parsing_exception"
    assert letter["record"]["event.id"] == "r2"


def test_a_store_that_refuses_us_is_asked_once_a_minute_and_its_records_wait_on_disk(
    new_lane: NewLane, store: Any, records: Records, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "perfcli.logs")
    lane = new_lane()
    store.answers = [StoreRefusedError("401"), StoreRefusedError("401")]
    lane.put(records(1, 2))
    lane.step()
    lane.put(records(3, 3))
    assert lane.wait_s() == 60.0
    clock.now_s += 59.0
    assert not lane.step()
    assert len(store.batches) == 1
    clock.now_s += 1.0
    assert not lane.step()
    assert [record.message for record in caplog.records] == ["fake takes no log records: 401."]
    clock.now_s += 60.0
    while lane.step():
        pass
    assert lane.counters() == SinkCounters(delivered=3, retried=4, spooled=3)
    assert [record.message for record in caplog.records][1:] == ["fake takes log records again."]


def test_a_refusal_is_said_again_after_the_store_took_records(
    new_lane: NewLane, store: Any, records: Records, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lane = new_lane()
    store.answers = [StoreRefusedError("401"), Receipt(), StoreRefusedError("403")]
    for number in (1, 2, 3):
        lane.put(records(number, number))
        while lane.step():
            pass
        clock.now_s += 60.0
    assert [record.message for record in caplog.records] == [
        "fake takes no log records: 401.",
        "fake takes no log records: 403.",
    ]


def test_a_sink_that_is_not_durable_is_left_alone_for_good_once_it_refuses(
    new_lane: NewLane, store: Any, records: Records, clock: Any
) -> None:
    store.durable = False
    lane = new_lane(spool=None)
    store.answers = [StoreRefusedError("stdout is gone")]
    lane.put(records(1, 2))
    lane.step()
    clock.now_s += 1e9
    assert not lane.step()
    assert lane.wait_s() is None
    lane.close(clock.now_s + 5.0)
    assert len(store.batches) == 1
    assert lane.counters() == SinkCounters(dropped=2)


def test_closing_goes_on_while_a_slow_reader_takes_some(
    new_lane: NewLane, store: Any, records: Records, clock: Any
) -> None:
    store.durable = False
    lane = new_lane(spool=None)
    # The fourth says that no more than a part of a line was taken.
    store.answers = [Receipt(again=tuple(records(first, 9))) for first in (2, 3, 4, 4, 5, 9)]
    lane.put(records(1, 9))
    lane.close(clock.now_s + 20.0)
    assert lane.counters().delivered == 9
    assert lane.counters().dropped == 0


def test_a_reader_that_takes_some_is_not_left_alone_for_longer_each_time(
    new_lane: NewLane, store: Any, records: Records, clock: Any
) -> None:
    store.durable = False
    lane = new_lane(spool=None)
    store.answers = [Receipt(again=tuple(records(first, 9))) for first in range(2, 10)]
    lane.put(records(1, 9))
    for _ in range(9):
        lane.step()
        clock.now_s += 1.0
    assert lane.counters().delivered == 9


def test_closing_ends_at_the_deadline_whatever_a_slow_reader_takes(
    new_lane: NewLane, store: Any, records: Records, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = new_lane(spool=None)
    store.answers = [Receipt(again=tuple(records(first, 9))) for first in range(2, 10)]
    deliver = store.deliver

    def deliver_slowly(batch: Batch) -> Receipt:
        clock.now_s += 1.0
        return deliver(batch)

    monkeypatch.setattr(store, "deliver", deliver_slowly)
    lane.put(records(1, 9))
    lane.close(clock.now_s + 3.0)
    assert (lane.counters().delivered, lane.counters().dropped) == (3, 6)


def test_the_capacity_bounds_what_waits_in_memory_and_the_newest_are_dropped(
    new_lane: NewLane, store: Any, records: Records, clock: Any, ids_of: Any
) -> None:
    lane = new_lane(spool=None, capacity=10)
    store.answers = [StoreDownError("down")]
    lane.put(records(1, 5))
    lane.step()
    lane.put(records(6, 20))
    assert lane.counters() == SinkCounters(retried=5, dropped=5, waiting=15)
    clock.now_s += 1.0
    while lane.step():
        pass
    assert ids_of(store.batches[1:]) == [[f"r{n}" for n in range(1, 6)], [f"r{n}" for n in range(6, 16)]]


def test_a_full_disk_leaves_the_rest_in_memory(
    new_lane: NewLane, new_spool: Any, store: Any, records: Records, clock: Any
) -> None:
    lane = new_lane(spool=new_spool(max_bytes=500), capacity=10)
    store.answers = [StoreDownError("down")]
    lane.put(records(1, 3))
    lane.step()
    lane.put(records(4, 20))
    assert lane.counters() == SinkCounters(retried=3, spooled=5, waiting=10, dropped=5)
    clock.now_s += 1.0
    while lane.step():
        pass
    assert lane.counters() == SinkCounters(retried=3, spooled=5, delivered=15, dropped=5)


def test_a_bug_in_a_sink_counts_as_a_failure_and_the_batch_is_retried(
    new_lane: NewLane, store: Any, records: Records, clock: Any
) -> None:
    lane = new_lane(spool=None)
    store.answers = [ZeroDivisionError()]
    lane.put(records(1, 1))
    assert not lane.step()
    clock.now_s += 1.0
    lane.step()
    assert lane.counters() == SinkCounters(delivered=1, retried=1)


def test_closing_tries_once_more_when_there_is_no_disk_and_counts_what_is_lost(
    new_lane: NewLane, store: Any, records: Records, clock: Any
) -> None:
    lane = new_lane(spool=None)
    store.answers = [StoreDownError("down"), StoreDownError("down")]
    lane.put(records(1, 3))
    lane.step()
    lane.close(clock.now_s + 5.0)
    assert len(store.batches) == 2
    assert lane.counters() == SinkCounters(retried=6, dropped=3)


def test_closing_tries_once_more_when_the_disk_is_full(
    new_lane: NewLane, new_spool: Any, store: Any, records: Records, clock: Any
) -> None:
    lane = new_lane(spool=new_spool(max_bytes=0))
    store.answers = [StoreDownError("down")]
    lane.put(records(1, 3))
    lane.step()
    lane.close(clock.now_s + 5.0)
    assert lane.counters() == SinkCounters(delivered=3, retried=3)


def test_closing_leaves_a_store_that_is_down_alone_once_all_is_on_disk(
    new_lane: NewLane, store: Any, records: Records, clock: Any
) -> None:
    lane = new_lane()
    store.answers = [StoreDownError("down")]
    lane.put(records(1, 3))
    lane.step()
    lane.put(records(4, 5))
    lane.close(clock.now_s + 5.0)
    assert len(store.batches) == 1
    assert lane.counters() == SinkCounters(retried=3, spooled=5)


def test_one_word_is_said_when_a_store_goes_away_and_one_when_it_is_back(
    new_lane: NewLane, store: Any, records: Records, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "perfcli.logs")
    lane = new_lane()
    store.answers = [StoreDownError("connection refused"), StoreDownError("connection refused")]
    lane.put(records(1, 1))
    for _ in range(4):
        lane.step()
        clock.now_s += 10.0
    assert [record.message for record in caplog.records] == [
        "Log records for fake have to wait: connection refused.",
        "fake takes log records again.",
    ]


@pytest.mark.parametrize("bad", ["lock", "00000000000000000000_x-1.batch"])
def test_a_bad_entry_of_the_spool_does_not_stop_the_lane(
    bad: str, new_lane: NewLane, store: Any, records: Records, clock: Any, tmp_path: Path
) -> None:
    (tmp_path / "store" / bad).mkdir(parents=True)
    lane = new_lane()
    store.answers = [StoreDownError("down")]
    lane.put(records(1, 2))
    lane.step()
    lane.put(records(3, 3))
    clock.now_s += 1.0
    while lane.step():
        pass
    assert lane.counters().delivered == 3
    assert lane.counters().dropped == 0
