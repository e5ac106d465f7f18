"""The log that several workers write and any of them reads."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
import uvicorn

from perfcli.api import serving
from perfcli.api.shared_log import SharedLog
from perfcli.logs.batch import Batch
from perfcli.logs.entry import Record
from perfcli.settings import Settings


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


def test_records_of_a_clock_that_was_set_back_are_kept_like_any_other(tmp_path: Path) -> None:
    log = SharedLog(tmp_path / "log", 3)
    log.deliver(_batch("a", range(10, 13)))
    log.deliver(_batch("a", range(2)))
    assert _lines(log) == [b"a12", b"a1", b"a0"]


def test_what_is_kept_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    log = SharedLog(tmp_path / "log", 100, max_bytes=6)
    log.deliver(_batch("a", range(2)))
    assert not log.has_forgotten()
    log.deliver(_batch("b", range(2, 4)))
    assert _lines(log) == [b"b3", b"b2", b"a1"]
    assert log.has_forgotten()
    log.deliver(_batch("c", range(4, 9)))
    assert _lines(log) == [b"c8", b"c7", b"c6"]
    log.deliver(Batch("long", (Record("long", "2026-01-31T12:00:09.000000Z", b"1234567"),)))
    assert b"1234567" not in _lines(log)


def test_the_file_is_there_before_the_workers_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[list[str]] = []

    class Supervisor:
        def __init__(self, config: uvicorn.Config, _listeners: list[socket.socket]) -> None:
            worker_app = config.app
            assert isinstance(worker_app, serving._WorkerApp)
            found.append([file.name for file in worker_app.shared_dir.iterdir()])

        def run_until_signal(self) -> None:
            return None

    monkeypatch.setattr(serving, "_Supervisor", Supervisor)
    # What the server sets is taken back with it.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with socket.socket() as listener:
        serving.run_server(Settings(api_workers=2), listener)
    assert found == [["logs.sqlite3"]]


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
