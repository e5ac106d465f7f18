from __future__ import annotations

import logging
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from perfcli.logs import Batch, LogDelivery, LogEntry, MemorySink, Receipt, StoreDownError
from perfcli.logs.batch import BATCH_RECORDS


def entry(number: int, level: int = logging.INFO) -> LogEntry:
    return LogEntry(level, "test", number * 1000, f"m{number}")


def messages(sink: MemorySink) -> list[str]:
    return [orjson.loads(record.line)["message"] for record in reversed(sink.newest_first())]


class BlockedSink:
    """Hangs in its first batch until it is released."""

    name = "blocked"
    address = "blocked"
    durable = False

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()
        self.delivered: list[str] = []

    def deliver(self, batch: Batch) -> Receipt:
        self.entered.set()
        assert self.released.wait(10)
        self.delivered += [record.id for record in batch.records]
        return Receipt()

    def forked(self) -> None:
        pass

    def close(self) -> None:
        pass


class DownSink(BlockedSink):
    name = "down"

    def deliver(self, batch: Batch) -> Receipt:
        raise StoreDownError("down")


def test_what_is_submitted_by_many_threads_is_delivered_once() -> None:
    sink = MemorySink(10_000)
    delivery = LogDelivery([sink])

    def submit(first: int) -> None:
        for number in range(first, first + 250):
            delivery.submit(entry(number))

    threads = [threading.Thread(target=submit, args=(first,)) for first in range(0, 2000, 250)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    delivery.close()
    assert sorted(messages(sink)) == sorted(f"m{number}" for number in range(2000))
    assert delivery.counters().sinks["memory"].delivered == 2000
    assert len({record.id for record in sink.newest_first()}) == 2000


def test_a_flush_delivers_what_is_queued_at_once_and_goes_on_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfcli.logs.writer.GATHER_S", 3600.0)
    sink = MemorySink(10_000)
    delivery = LogDelivery([sink])
    delivery.flush()
    expected = []
    # The second time more than a batch.
    for count in (1, 3 * BATCH_RECORDS):
        for number in range(count):
            delivery.submit(entry(number))
            expected.append(f"m{number}")
        delivery.flush(3600.0)
        assert messages(sink) == expected
    delivery.close()
    delivery.flush(3600.0)


def test_a_flush_waits_for_no_store_that_is_down_and_only_so_long_for_one_that_hangs() -> None:
    down = LogDelivery([DownSink()])
    down.submit(entry(1))
    down.flush(3600.0)
    assert down.counters().sinks["down"].waiting == 1
    hanging = BlockedSink()
    delivery = LogDelivery([hanging])
    delivery.submit(entry(1))
    assert hanging.entered.wait(30)
    delivery.flush(0.01)
    hanging.released.set()
    delivery.close()
    assert len(hanging.delivered) == 1


def test_a_whole_batch_does_not_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfcli.logs.writer.GATHER_S", 3600.0)
    sink = MemorySink(10_000)
    delivery = LogDelivery([sink])
    # Two batches, since the writer has the first entry in its hand.
    for number in range(2 * BATCH_RECORDS):
        delivery.submit(entry(number))
    deadline = time.monotonic() + 30
    while delivery.counters().sinks["memory"].delivered < BATCH_RECORDS:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    delivery.close()
    assert len(messages(sink)) == 2 * BATCH_RECORDS


def test_what_writing_takes_is_the_cpu_time_of_the_thread_that_writes() -> None:
    own_ms: list[float] = []

    def costly() -> Mapping[str, object]:
        started_ns = time.thread_time_ns()
        while time.thread_time_ns() < started_ns + 20_000_000:
            pass
        own_ms.append((time.thread_time_ns() - started_ns) / 1e6)
        return {}

    delivery = LogDelivery([MemorySink(10)])
    for number in range(5):
        delivery.submit(replace(entry(number), fields=costly))
    time.sleep(0.05)
    delivery.close()
    assert len(own_ms) == 5
    # Sleeping is none of it, and what is around the five is a thousandth.
    assert sum(own_ms) <= delivery.counters().cpu_ms <= 1.5 * sum(own_ms)


def test_entries_below_the_level_are_ignored_and_not_counted() -> None:
    sink = MemorySink(10)
    delivery = LogDelivery([sink], logging.WARNING)
    for number, level in enumerate([logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]):
        delivery.submit(entry(number, level))
    delivery.close()
    assert messages(sink) == ["m2", "m3"]
    assert delivery.counters().sinks["memory"].dropped == 0


def test_nothing_is_started_before_the_first_entry() -> None:
    # Not their number: a thread that an earlier test has left may end meanwhile.
    before = set(threading.enumerate())

    def started() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread not in before]

    delivery = LogDelivery([MemorySink(10)])
    assert started() == []
    delivery.submit(entry(1))
    assert started() == ["perfcli-logs"]
    delivery.close()
    assert started() == []


def test_a_full_queue_drops_the_newest_and_says_so_in_the_log() -> None:
    blocked, memory = BlockedSink(), MemorySink(100)
    delivery = LogDelivery([blocked, memory], capacity=5)
    delivery.submit(entry(0))
    assert blocked.entered.wait(10)
    for number in range(1, 13):
        delivery.submit(entry(number))
    blocked.released.set()
    delivery.close()
    first, notice, *others = [orjson.loads(record.line) for record in reversed(memory.newest_first())]
    assert [document["message"] for document in (first, *others)] == [f"m{number}" for number in range(6)]
    assert (notice["level"], notice["logger"]) == ("WARNING", "perfcli.logs")
    assert notice["message"] == "14 log records were dropped."
    assert notice["delivery"]["sinks"]["memory"]["dropped"] == 7
    assert {name: seen.dropped for name, seen in delivery.counters().sinks.items()} == {"blocked": 7, "memory": 7}


class OnceDownSink(BlockedSink):
    name = "once down"

    def __init__(self) -> None:
        super().__init__()
        self.released.set()

    def deliver(self, batch: Batch) -> Receipt:
        if not self.entered.is_set():
            self.entered.set()
            raise StoreDownError("down")
        return super().deliver(batch)


def test_that_a_store_was_away_is_said_in_the_log() -> None:
    memory, store = MemorySink(100), OnceDownSink()
    delivery = LogDelivery([store, memory], draw=lambda: 0.0)
    delivery.submit(entry(0))
    deadline_s = time.monotonic() + 30
    while len(memory.newest_first()) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    delivery.close()
    _, notice = [orjson.loads(record.line) for record in reversed(memory.newest_first())]
    assert (notice["level"], notice["logger"]) == ("INFO", "perfcli.logs")
    assert notice["message"] == "A store takes log records again; retried so far: 1."
    assert notice["delivery"]["sinks"]["once down"]["retried"] == 1


def test_a_dead_sink_does_not_keep_records_from_the_others() -> None:
    memory = MemorySink(100)
    delivery = LogDelivery([DownSink(), memory])
    for number in range(20):
        delivery.submit(entry(number))
    delivery.close()
    assert messages(memory)[:20] == [f"m{number}" for number in range(20)]
    counters = delivery.counters().sinks
    assert counters["memory"].dropped == 0
    assert (counters["down"].delivered, counters["down"].waiting) == (0, 0)
    assert counters["down"].dropped == 20


def test_what_comes_after_the_end_is_dropped_and_counted() -> None:
    sink = MemorySink(10)
    delivery = LogDelivery([sink])
    delivery.close()
    delivery.submit(entry(1))
    delivery.close()
    assert messages(sink) == []
    assert delivery.counters().sinks["memory"].dropped == 1


def test_closing_does_not_wait_for_a_sink_that_hangs() -> None:
    blocked = BlockedSink()
    delivery = LogDelivery([blocked])
    delivery.submit(entry(1))
    assert blocked.entered.wait(10)
    delivery.close(timeout_s=0.0)
    assert blocked.delivered == []
    blocked.released.set()
    delivery.close(timeout_s=10.0)
    assert len(blocked.delivered) == 1


def test_fields_are_made_in_the_writer_thread() -> None:
    names: list[str] = []

    def fields() -> dict[str, object]:
        names.append(threading.current_thread().name)
        return {}

    delivery = LogDelivery([MemorySink(10)])
    delivery.submit(LogEntry(logging.INFO, "test", 0, "m", fields=fields))
    delivery.close()
    assert names == ["perfcli-logs"]


def test_a_signal_handler_may_log_while_its_thread_counts_a_drop() -> None:
    delivery = LogDelivery([MemorySink(10)])
    delivery.close()
    submitted = []

    def on_alarm(*_: object) -> None:
        submitted.append(delivery.submit(entry(1)))

    previous = signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        count = 0
        while len(submitted) < 50:
            delivery.submit(entry(2))
            count += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert delivery.counters().sinks["memory"].dropped == count + len(submitted)


@pytest.fixture
def run_python() -> Callable[[str, Path], list[dict[str, Any]]]:
    """Run a script in a process of its own and return the lines of its log."""

    def run(script: str, log: Path) -> list[dict[str, Any]]:
        with log.open("wb") as stdout:
            command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
            subprocess.run(command, stdout=stdout, check=True, timeout=30)
        return [orjson.loads(line) for line in log.read_bytes().splitlines()]

    return run


def test_a_forked_worker_starts_its_own_writer_and_repeats_nothing_of_its_parent(
    tmp_path: Path, run_python: Callable[[str, Path], list[dict[str, Any]]]
) -> None:
    script = """
        import os, time
        from perfcli.logs import LogDelivery, LogEntry
        from perfcli.logs.sinks.stdout import StdoutSink
        delivery = LogDelivery([StdoutSink()])
        def log(who):
            for number in range(100):
                delivery.submit(LogEntry(20, who, time.time_ns(), f"{number}"))
        log("parent")
        children = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                log(f"child {os.getpid()}")
                delivery.close()
                counters = delivery.counters().sinks["stdout"]
                os._exit(0 if (counters.delivered, counters.dropped) == (100, 0) else 1)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
        log("parent")
        delivery.close()
        assert delivery.counters().sinks["stdout"].delivered == 200
    """
    lines = run_python(script, tmp_path / "log")
    loggers = [line["logger"] for line in lines]
    assert len({line["event.id"] for line in lines}) == 500
    assert sorted(loggers.count(name) for name in set(loggers)) == [100, 100, 100, 200]


def test_what_logs_while_the_writer_starts_does_not_start_another(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = MemorySink(10)
    delivery = LogDelivery([sink])
    start = threading.Thread.start
    started: list[str] = []

    def start_and_log(thread: threading.Thread) -> None:
        started.append(thread.name)
        if len(started) < 5:
            # As a signal handler in the same thread does.
            delivery.submit(entry(2))
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_and_log)
    delivery.submit(entry(1))
    delivery.close()
    assert started == ["perfcli-logs"]
    assert messages(sink) == ["m1", "m2"]
