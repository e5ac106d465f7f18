from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from perfcli.errors import UsageError
from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery, RecordPage, oldest_timestamp

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def record(second: int, level: str = "INFO", request: str | None = None) -> Record:
    timestamp = f"2026-11-22T11:59:{second:02d}.000000Z"
    document = {"timestamp": timestamp, "level": level, "transaction_id": request, "event.id": f"r{second}"}
    return Record(f"r{second}", timestamp, json.dumps(document).encode() + b"\n")


def ids(query: LogQuery, *records: Record) -> list[str]:
    return [found.id for found in query.select(records)]


def test_without_conditions_all_records_come_newest_first() -> None:
    assert ids(LogQuery(), record(2), record(1), record(3)) == ["r3", "r2", "r1"]


def test_the_oldest_moment_itself_is_included() -> None:
    query = LogQuery(since="2026-11-22T11:59:02.000000Z")
    assert ids(query, record(1), record(2), record(3)) == ["r3", "r2"]


def test_a_level_includes_those_above_it() -> None:
    records = [record(n, level) for n, level in enumerate(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])]
    assert ids(LogQuery(level="WARNING"), *records) == ["r4", "r3", "r2"]
    assert ids(LogQuery(level="DEBUG"), *records) == ["r4", "r3", "r2", "r1", "r0"]


def test_a_request_is_found_by_its_id() -> None:
    records = [record(1, request="a"), record(2, request="b"), record(3), record(4, request="a")]
    assert ids(LogQuery(transaction_id="a"), *records) == ["r4", "r1"]


def test_a_page_has_what_follows_and_counts_all_that_match() -> None:
    records = [record(n, request="a" if n % 2 else "b") for n in range(10)]
    query = LogQuery(transaction_id="a", limit=2)
    assert query.page(records, 0) == RecordPage([records[9], records[7]], 5)
    assert query.page(records, 4) == RecordPage([records[1]], 5)
    assert query.page(records, 5) == RecordPage([], 5)


def test_records_of_one_moment_keep_their_order_with_a_limit_and_without() -> None:
    first, second, third = (Record(name, "2026-11-22T11:59:01.000000Z", b"{}") for name in "abc")
    assert ids(LogQuery(), first, second, third) == ["a", "b", "c"]
    assert ids(LogQuery(limit=2), first, second, third) == ["a", "b"]


def test_the_limit_keeps_the_newest() -> None:
    assert ids(LogQuery(limit=2), record(1), record(3), record(2)) == ["r3", "r2"]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("5m", "2026-11-22T11:55:00.000000Z"),
        ("1.5s", "2026-11-22T11:59:58.500000Z"),
        ("2026-11-22T10:00:00", "2026-11-22T10:00:00.000000Z"),
        ("2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00.000000Z"),
        ("2026-11-22", "2026-11-22T00:00:00.000000Z"),
    ],
)
def test_an_age_and_a_moment_become_a_timestamp(since: str, expected: str) -> None:
    assert oldest_timestamp(since, NOW) == expected


@pytest.mark.parametrize("since", ["yesterday", "5 parsecs", "", "9999999999h"])
def test_what_is_neither_age_nor_moment_is_refused(since: str) -> None:
    with pytest.raises(UsageError, match="neither an age nor a moment"):
        oldest_timestamp(since, NOW)


@pytest.mark.parametrize("foreign", [None, [], {}, 5])
def test_what_is_not_ours_fulfils_no_condition_and_breaks_none(foreign: Any) -> None:
    records = [record(1, foreign, "t1"), record(2, "INFO", foreign), record(3, "INFO", "t1")]
    assert ids(LogQuery(level="DEBUG"), *records) == ["r3", "r2"]
    assert ids(LogQuery(transaction_id="t1"), *records) == ["r3", "r1"]


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_beyond_the_calendar_is_an_error(since: str) -> None:
    with pytest.raises(UsageError, match="neither an age nor a moment"):
        oldest_timestamp(since, NOW)
