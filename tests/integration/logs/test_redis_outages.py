"""Every record exactly once in a real server that is killed, hung, full and restarted, or counted as dropped."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from perfcli.logs import LogDelivery, LogEntry
from perfcli.logs.counters import SinkCounters
from perfcli.logs.sinks.redis import RedisSink

if TYPE_CHECKING:
    from conftest import Store

RECORDS = 2000
KEY = "api_logs"

CRASHING = textwrap.dedent(f"""
    import sys, time
    from pathlib import Path
    from perfcli.logs import LogDelivery, LogEntry
    from perfcli.logs.sinks.redis import RedisSink
    sink = RedisSink(f"redis://127.0.0.1:{{sys.argv[1]}}", "{KEY}", {10 * RECORDS}, timeout_s=0.3)
    delivery = LogDelivery([sink], spool_dir=Path(sys.argv[2]))
    def submit(first, last):
        for number in range(first, last):
            delivery.submit(LogEntry(20, "test", time.time_ns(), "m", fields=lambda n=number: {{"n": n}}))
    def count(name):
        return getattr(delivery.counters().sinks["redis"], name)
    def wait(name, until):
        while count(name) < until:
            time.sleep(0.01)
        print(name, flush=True)
    submit(0, 500)
    wait("delivered", 500)
    # A disk that is slow to take the first ones had them spooled, too.
    before = count("spooled")
    sys.stdin.readline()
    submit(500, {RECORDS})
    wait("spooled", before + {RECORDS} - 500)
    time.sleep(60)
""")


def numbers_in(server: Store) -> list[int]:
    with redis.Redis(port=server.port) as client:
        documents = [json.loads(line) for line in client.lrange(KEY, 0, -1)]
    return [document["n"] for document in documents]


def open_delivery(server: Store, spool_dir: Path, **options: int) -> LogDelivery:
    sink = RedisSink(f"redis://127.0.0.1:{server.port}", KEY, 10 * RECORDS, timeout_s=0.3)
    # Above the level of the notices about drops, which would be records too.
    return LogDelivery([sink], logging.ERROR, spool_dir=spool_dir, **options)


def submit(delivery: LogDelivery, first: int, last: int) -> None:
    for number in range(first, last):
        delivery.submit(LogEntry(logging.ERROR, "test", time.time_ns(), "m", fields=lambda n=number: {"n": n}))


def wait_until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def counters(delivery: LogDelivery) -> SinkCounters:
    return delivery.counters().sinks["redis"]


def test_a_killed_and_restarted_server_has_every_record_once(start_store: Callable[[], Store], tmp_path: Path) -> None:
    server = start_store()
    delivery = open_delivery(server, tmp_path / "spool")
    submit(delivery, 0, 500)
    wait_until(lambda: counters(delivery).delivered > 0)
    os.kill(server.pid, signal.SIGKILL)
    submit(delivery, 500, 1500)
    wait_until(lambda: counters(delivery).spooled >= 1000)
    again = start_store()
    submit(delivery, 1500, RECORDS)
    wait_until(lambda: counters(delivery).delivered == RECORDS)
    delivery.close()
    assert sorted(numbers_in(again)) == list(range(RECORDS))
    assert counters(delivery).dropped == 0
    assert list((tmp_path / "spool").rglob("*.batch")) == []


def test_a_batch_that_was_stored_but_never_acknowledged_is_stored_once(
    start_store: Callable[[], Store], tmp_path: Path
) -> None:
    # What was sent to a stopped server lies in its socket; when it goes on it executes the first copy and every retry.
    server = start_store()
    delivery = open_delivery(server, tmp_path / "spool")
    submit(delivery, 0, 500)
    wait_until(lambda: counters(delivery).delivered == 500)
    for first in range(500, RECORDS, 500):
        os.kill(server.pid, signal.SIGSTOP)
        retried = counters(delivery).retried
        submit(delivery, first, first + 500)
        wait_until(lambda: counters(delivery).retried >= retried + 1)  # noqa: B023
        wait_until(lambda: counters(delivery).retried >= retried + 2)  # noqa: B023
        os.kill(server.pid, signal.SIGCONT)
        wait_until(lambda: counters(delivery).delivered == first + 500)  # noqa: B023
    delivery.close()
    assert Counter(numbers_in(server)) == Counter(range(RECORDS))
    assert counters(delivery).dropped == 0


def test_a_full_server_is_retried_until_there_is_room(start_store: Callable[[], Store], tmp_path: Path) -> None:
    server = start_store()
    client = redis.Redis(port=server.port)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)
    delivery = open_delivery(server, tmp_path / "spool")
    submit(delivery, 0, RECORDS)
    wait_until(lambda: counters(delivery).spooled == RECORDS)
    assert numbers_in(server) == []
    client.config_set("maxmemory", 0)
    wait_until(lambda: counters(delivery).delivered == RECORDS)
    delivery.close()
    client.close()
    # One process, so the order of the log is the order of the list, newest first.
    assert numbers_in(server) == list(reversed(range(RECORDS)))


def test_records_that_find_no_room_anywhere_are_counted(start_store: Callable[[], Store], tmp_path: Path) -> None:
    server = start_store()
    delivery = open_delivery(server, tmp_path / "spool", capacity=300, spool_max_bytes=50_000)
    submit(delivery, 0, 100)
    wait_until(lambda: counters(delivery).delivered == 100)
    os.kill(server.pid, signal.SIGKILL)
    for first in range(100, RECORDS, 100):
        submit(delivery, first, first + 100)
        wait_until(lambda: delivery.counters().queued == 0)
    again = start_store()
    wait_until(lambda: counters(delivery).waiting == 0 and not list((tmp_path / "spool").rglob("*.batch")))
    delivery.close()
    stored = numbers_in(again)
    seen = counters(delivery)
    assert seen.dropped > 0
    assert len(set(stored)) == len(stored) == seen.delivered
    assert seen.delivered + seen.dropped == RECORDS


def test_what_a_killed_process_left_is_delivered_once_by_the_next(
    start_store: Callable[[], Store], tmp_path: Path
) -> None:
    server = start_store()
    process = subprocess.Popen(
        [sys.executable, "-c", CRASHING, str(server.port), str(tmp_path / "spool")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"delivered\n"
    os.kill(server.pid, signal.SIGSTOP)
    process.stdin.write(b"go on\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"spooled\n"
    process.kill()
    process.communicate()
    os.kill(server.pid, signal.SIGCONT)
    # The batch that lay in the socket of the stopped server is stored, and nobody is left who could know.
    wait_until(lambda: len(numbers_in(server)) > 500)
    delivery = open_delivery(server, tmp_path / "spool")
    delivery.start()
    wait_until(lambda: counters(delivery).delivered == RECORDS - 500)
    delivery.close()
    assert Counter(numbers_in(server)) == Counter(range(RECORDS))


def test_several_processes_share_one_spool(start_store: Callable[[], Store], tmp_path: Path) -> None:
    server = start_store()
    os.kill(server.pid, signal.SIGKILL)
    deliveries = [open_delivery(server, tmp_path / "spool") for _ in range(4)]
    for first, delivery in enumerate(deliveries):
        submit(delivery, first * 500, first * 500 + 500)
    wait_until(lambda: sum(counters(delivery).spooled for delivery in deliveries) == RECORDS)
    again = start_store()
    wait_until(lambda: sum(counters(delivery).delivered for delivery in deliveries) == RECORDS)
    for delivery in deliveries:
        delivery.close()
    assert Counter(numbers_in(again)) == Counter(range(RECORDS))
