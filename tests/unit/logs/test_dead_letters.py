from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from perfcli.logs.batch import Rejection
from perfcli.logs.dead_letters import DeadLetters
from perfcli.logs.entry import Record

Records = Callable[[int, int], list[Record]]


def test_each_record_is_kept_with_its_reason(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "store" / "rejected.jsonl"
    letters = DeadLetters(path)
    one, two = records(1, 2)
    letters.append([Rejection(one, "too long")])
    letters.append([Rejection(two, "wrong type")])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"reason": "too long", "record": json.loads(one.line)},
        {"reason": "wrong type", "record": json.loads(two.line)},
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_said_once_and_grows_no_more(
    tmp_path: Path, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rejected.jsonl"
    letters = DeadLetters(path, max_bytes=150)
    for record in records(1, 4):
        letters.append([Rejection(record, "r")])
    assert path.read_text().count("\n") == 1
    assert [record.message for record in caplog.records] == [
        f"Cannot write rejected log records to {path}: it is full."
    ]


def test_a_disk_that_fails_is_said_once(tmp_path: Path, records: Records, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    letters = DeadLetters(tmp_path / "store" / "rejected.jsonl")
    for record in records(1, 2):
        letters.append([Rejection(record, "r")])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
