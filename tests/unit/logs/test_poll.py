from __future__ import annotations

from collections.abc import Callable

import pytest

from perfcli.errors import TargetUnreachableError
from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery
from perfcli.logs.sources.protocol import poll

Records = Callable[[int, int], list[Record]]


class EnoughError(Exception):
    """Ends a test that follows a log."""


def followed(contents: list[list[Record]], query: LogQuery) -> list[str]:
    """Follow a store that has one of the contents at each question."""
    remaining = iter(contents)
    current: list[Record] = next(remaining)

    def wait() -> None:
        nonlocal current
        following = next(remaining, None)
        if following is None:
            raise EnoughError
        current = following

    shown: list[str] = []
    with pytest.raises(EnoughError):
        shown.extend(record.id for record in poll(lambda asked: asked.select(current), query, wait))
    return shown


def test_each_record_is_shown_once_the_oldest_first(records: Records) -> None:
    assert followed([records(1, 3), records(1, 5), records(1, 5), records(2, 6)], LogQuery()) == [
        "r1",
        "r2",
        "r3",
        "r4",
        "r5",
        "r6",
    ]


def test_the_limit_is_for_the_beginning_only(records: Records) -> None:
    assert followed([records(1, 5), records(1, 9)], LogQuery(limit=2)) == ["r4", "r5", "r6", "r7", "r8", "r9"]


def test_a_record_that_arrives_late_is_shown(records: Records) -> None:
    late = records(2, 2)
    rest = records(1, 1) + records(3, 4)
    assert followed([rest, rest + late], LogQuery()) == ["r1", "r3", "r4", "r2"]


def test_a_store_that_goes_away_is_asked_until_it_is_back(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    answers: list[list[Record] | Exception] = [
        records(1, 2),
        TargetUnreachableError("Nobody answers.", ""),
        TargetUnreachableError("Nobody answers.", ""),
        records(1, 3),
        EnoughError(),
    ]

    def read(asked: LogQuery) -> list[Record]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return asked.select(answer)

    shown: list[str] = []
    with pytest.raises(EnoughError):
        shown.extend(record.id for record in poll(read, LogQuery(), lambda: None))
    assert shown == ["r1", "r2", "r3"]
    assert [record.getMessage() for record in caplog.records] == [
        "Nobody answers. It is asked again until it answers.",
        "It answers again.",
    ]


def test_a_store_that_never_answered_ends_it() -> None:
    def read(_asked: LogQuery) -> list[Record]:
        raise TargetUnreachableError("Nobody answers.", "")

    with pytest.raises(TargetUnreachableError):
        next(poll(read, LogQuery(), lambda: None))


def test_a_store_that_was_emptied_repeats_nothing(records: Records) -> None:
    assert followed([records(1, 2), [], records(1, 3)], LogQuery()) == ["r1", "r2", "r3"]


def test_an_empty_store_is_followed_from_its_first_record(records: Records) -> None:
    assert followed([[], [], records(1, 2)], LogQuery(limit=1)) == ["r1", "r2"]
