from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from perfcli.logs.batch import Batch, Receipt, StoreDownError, StoreRefusedError
from perfcli.logs.entry import Record
from perfcli.logs.sinks.stdout import StdoutSink

# Lines of 100 B to 40 kB: below PIPE_BUF, above it, and above what a pipe holds when several are queued.
WORKER = textwrap.dedent("""
    import sys, time
    from perfcli.logs import LogDelivery, LogEntry
    from perfcli.logs.sinks.stdout import StdoutSink
    delivery = LogDelivery([StdoutSink(timeout_s=30.0)])
    delivery.start()
    for number in range(200):
        text = "x" * (100, 4090, 9000, 40000)[number % 4]
        delivery.submit(LogEntry(20, sys.argv[1], time.time_ns(), text, fields=lambda n=number: {"number": n}))
        if number % 20 == 0:
            time.sleep(0.001)
    delivery.close(60.0)
""")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe, both ends closed again where the test did not."""
    read_end, write_end = os.pipe()
    yield read_end, write_end
    for fd in (read_end, write_end):
        try:
            os.close(fd)
        except OSError:
            continue


def record(number: int, size: int = 100) -> Record:
    return Record(f"r{number}", "2026-11-22T10:00:00.000000Z", b"%d" % number + b"x" * (size - 2) + b"\n")


def deliver_patiently(sink: StdoutSink, batch: Batch) -> Receipt:
    """Deliver to a reader who may not be given the processor in time: to the sink, that is one who does not read."""
    deadline = time.monotonic() + 30.0
    while True:
        try:
            return sink.deliver(batch)
        except StoreDownError:
            assert time.monotonic() < deadline, "it never took them"


def assert_every_line_is_whole(output: bytes) -> None:
    lines = [orjson.loads(line) for line in output.splitlines()]
    assert Counter(line["logger"] for line in lines) == {"w0": 200, "w1": 200, "w2": 200, "w3": 200}
    assert len({(line["logger"], line["number"]) for line in lines}) == 800
    assert {len(line["message"]) for line in lines} == {100, 4090, 9000, 40000}


def test_lines_of_several_workers_never_mix_in_a_pipe() -> None:
    read_end, write_end = os.pipe()
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, f"w{n}"], stdout=write_end) for n in range(4)]
    os.close(write_end)
    with os.fdopen(read_end, "rb") as reader:
        output = reader.read()
    assert [worker.wait(30) for worker in workers] == [0, 0, 0, 0]
    assert_every_line_is_whole(output)


def test_lines_of_several_workers_never_mix_in_a_file(tmp_path: Path) -> None:
    # Workers of one server inherit one open file; those started by a shell with >> append to it.
    log = tmp_path / "log"
    with log.open("ab") as stdout:
        workers = [subprocess.Popen([sys.executable, "-c", WORKER, f"w{n}"], stdout=stdout) for n in range(4)]
        assert [worker.wait(30) for worker in workers] == [0, 0, 0, 0]
    assert_every_line_is_whole(log.read_bytes())


def test_a_reader_that_does_not_read_makes_the_sink_fail_in_time_and_loses_nothing(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    sink = StdoutSink(write_end, timeout_s=0.05)
    batch = Batch("a-1", tuple(record(number, 10_000) for number in range(20)))
    again = sink.deliver(batch).again
    assert 0 < len(again) < 20
    with pytest.raises(StoreDownError):
        sink.deliver(Batch("a-1", again))
    received = bytearray()

    def read() -> None:
        while data := os.read(read_end, 65536):
            received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    while again:
        again = deliver_patiently(sink, Batch("a-1", again)).again
    deliver_patiently(sink, Batch("a-2", ()))
    os.close(write_end)
    reader.join(10)
    assert bytes(received) == b"".join(record.line for record in batch.records)


def can_be_locked_by_another_process(fd: int) -> bool:
    code = f"import fcntl; fcntl.lockf({fd}, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    done = subprocess.run([sys.executable, "-c", code], pass_fds=[fd], stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("is_blocking", [True, False])
def test_nobody_else_writes_while_a_line_is_half_written(pipe: tuple[int, int], is_blocking: bool) -> None:
    read_end, write_end = pipe
    os.set_blocking(write_end, is_blocking)
    sink = StdoutSink(write_end, timeout_s=0.05)
    batch = Batch("a-1", (record(1, 200_000), record(2)))
    assert sink.deliver(batch).again == batch.records
    with pytest.raises(StoreDownError, match="nobody reads it"):
        sink.deliver(batch)
    assert not can_be_locked_by_another_process(write_end)
    received = bytearray()

    def read() -> None:
        while data := os.read(read_end, 65536):
            received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    while (again := deliver_patiently(sink, batch).again) != ():
        batch = Batch("a-1", again)
    assert can_be_locked_by_another_process(write_end)
    os.close(write_end)
    reader.join(10)
    assert bytes(received) == record(1, 200_000).line + record(2).line


def test_the_end_of_a_worker_gives_up_a_line_that_is_half_written(pipe: tuple[int, int]) -> None:
    _, write_end = pipe
    sink = StdoutSink(write_end, timeout_s=0.05)
    sink.deliver(Batch("a-1", (record(1, 200_000),)))
    assert not can_be_locked_by_another_process(write_end)
    sink.close()
    assert can_be_locked_by_another_process(write_end)


def test_a_descriptor_that_does_not_block_is_written_as_any_other(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    os.set_blocking(write_end, False)
    records = tuple(record(number, 3000) for number in range(100))
    received = bytearray()

    def read() -> None:
        while data := os.read(read_end, 4096):
            received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    assert StdoutSink(write_end, timeout_s=10.0).deliver(Batch("a-1", records)).again == ()
    os.close(write_end)
    reader.join(10)
    assert bytes(received) == b"".join(record.line for record in records)


def test_a_reader_that_went_away_stops_the_sink(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    os.close(read_end)
    with pytest.raises(StoreRefusedError, match="Broken pipe"):
        StdoutSink(write_end).deliver(Batch("a-1", (record(1),)))


def test_a_closed_descriptor_stops_the_sink(pipe: tuple[int, int]) -> None:
    _, write_end = pipe
    os.close(write_end)
    with pytest.raises(StoreRefusedError, match="Bad file descriptor"):
        StdoutSink(write_end).deliver(Batch("a-1", (record(1),)))


def test_a_full_disk_is_a_failure_that_may_pass() -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(StoreDownError, match="No space left"):
        StdoutSink(full.fileno()).deliver(Batch("a-1", (record(1),)))


def test_without_a_stdout_at_the_start_no_file_of_the_service_is_written_to(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    program = textwrap.dedent("""
        import os, sys
        database = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        assert database == 1
        from perfcli.logs.batch import Batch, StoreRefusedError
        from perfcli.logs.entry import Record
        from perfcli.logs.sinks.stdout import StdoutSink
        try:
            StdoutSink().deliver(Batch("a-1", (Record("r1", "2026-11-22T10:00:00.000000Z", b"{}\\n"),)))
        except StoreRefusedError:
            sys.exit(17)
    """)
    file = tmp_path / "database"
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", program, str(file)]
    assert subprocess.run(closed, check=False, cwd=pytestconfig.rootpath).returncode == 17
    assert file.read_bytes() == b""
