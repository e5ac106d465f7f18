"""The log that several workers write and any of them reads."""

from __future__ import annotations

import threading
from pathlib import Path

from perfcli.api.shared_log import SharedLog
from perfcli.logs.batch import Batch
from perfcli.logs.entry import Record


def _batch(writer: str, numbers: range) -> Batch:
    return Batch(
        f"{writer}-{numbers.start}",
        tuple(Record(f"{writer}-{n}", f"2026-01-31T12:00:{n:02d}.000000Z", f"{writer}{n}".encode()) for n in numbers),
    )


def _lines(log: SharedLog) -> list[bytes]:
    return [record.line for record in log.newest_first()]


def test_each_worker_reads_the_records_of_all_newest_first(tmp_path: Path) -> None:
    one, other = SharedLog(tmp_path / "log", 10), SharedLog(tmp_path / "log", 10)
    one.deliver(_batch("a", range(2)))
    other.deliver(_batch("b", range(1, 3)))
    assert _lines(one) == _lines(other) == [b"b2", b"b1", b"a1", b"a0"]


def test_only_the_newest_records_are_kept(tmp_path: Path) -> None:
    log = SharedLog(tmp_path / "log", 3)
    log.deliver(_batch("a", range(5)))
    log.deliver(_batch("a", range(5, 7)))
    assert _lines(log) == [b"a6", b"a5", b"a4"]


def test_a_batch_that_comes_again_is_stored_once(tmp_path: Path) -> None:
    log = SharedLog(tmp_path / "log", 10)
    log.deliver(_batch("a", range(2)))
    log.deliver(_batch("a", range(2)))
    assert _lines(log) == [b"a1", b"a0"]


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    def write(writer: str) -> None:
        log = SharedLog(tmp_path / "log", 1000)
        for start in range(0, 50, 10):
            log.deliver(_batch(writer, range(start, start + 10)))

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(set(_lines(SharedLog(tmp_path / "log", 1000)))) == 200
