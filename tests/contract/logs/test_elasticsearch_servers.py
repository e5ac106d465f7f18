"""The same cases against two independent servers, read back by the official clients."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from perfcli.logs import Batch, LogDelivery, LogEntry, SinkCounters
from perfcli.logs.entry import Encoder, Record
from perfcli.logs.sinks.elasticsearch import ElasticsearchSink

Documents = Callable[[str], dict[str, dict[str, Any]]]

METRICS: dict[str, object] = {
    "inference_time_ms": 26,
    "cpu_time_ms": 26.35,
    "memory_mb": 263.48,
    "memory_delta_mb": 0,
    "function_calls": 26025,
    "latency_ms": 26.46,
    "top_functions": [
        {"function": "predict", "file": "a.py", "line": 45, "cumulative_time_ms": 26, "total_time_ms": 11.3, "calls": 1}
    ],
    "profiled": True,
    "reason": None,
    "profiler_overhead_ms": 3,
}
DAY_NS = 86_400 * 10**9
FIRST_DAY_NS = 20_000 * DAY_NS


@pytest.fixture
def index() -> str:
    """A prefix of its own for every test: the server lives longer."""
    return f"perfcli{uuid4().hex[:8]}"


@pytest.fixture
def sink(server: tuple[str, str], index: str) -> Iterator[ElasticsearchSink]:
    made = ElasticsearchSink(server[1], index, timeout_s=10.0)
    yield made
    made.close()


def encode(count: int, created_ns: Callable[[int], int] = lambda n: FIRST_DAY_NS + n * 1000) -> tuple[Record, ...]:
    encoder = Encoder(uuid4().hex)
    return tuple(
        encoder.encode(
            LogEntry(
                logging.INFO, "test", created_ns(n), f"m{n}", f"t{n}", None, lambda: {"performance_metrics": METRICS}
            )
        )
        for n in range(count)
    )


def test_every_record_is_one_document_with_our_id(sink: ElasticsearchSink, index: str, documents: Documents) -> None:
    records = encode(1500)
    for first in range(0, 1500, 500):
        receipt = sink.deliver(Batch("a-1", records[first : first + 500]))
        assert (receipt.again, receipt.rejected) == ((), ())
    found = documents(index)
    assert set(found) == {record.id for record in records}
    for record in records:
        assert found[record.id] == {"_index": f"{index}-2024.10.04", **orjson.loads(record.line)}


def test_the_index_is_the_day_of_the_record(sink: ElasticsearchSink, index: str, documents: Documents) -> None:
    records = encode(3, lambda n: FIRST_DAY_NS + n * DAY_NS - 1)
    sink.deliver(Batch("a-1", records))
    days = [datetime.fromtimestamp(FIRST_DAY_NS // 10**9 + n * 86_400 - 1, UTC) for n in range(3)]
    found = documents(index)
    assert [found[record.id]["_index"] for record in records] == [f"{index}-{day:%Y.%m.%d}" for day in days]


def test_a_batch_that_comes_again_is_not_stored_again(
    sink: ElasticsearchSink, index: str, documents: Documents
) -> None:
    records = encode(10)
    sink.deliver(Batch("a-1", records[:6]))
    receipt = sink.deliver(Batch("a-1", records))
    assert (receipt.again, receipt.rejected) == ((), ())
    assert set(documents(index)) == {record.id for record in records}


def test_a_document_that_does_not_fit_is_rejected_and_the_others_are_stored(
    sink: ElasticsearchSink, index: str, documents: Documents
) -> None:
    good, bad, last = encode(3)
    line = bad.line.replace(b'"inference_time_ms":26', b'"inference_time_ms":"many"')
    assert line != bad.line
    receipt = sink.deliver(Batch("a-1", (good, bad._replace(line=line), last)))
    assert receipt.again == ()
    assert [(rejection.record.id, rejection.reason) for rejection in receipt.rejected] in (
        [(bad.id, "mapper_parsing_exception")],
        [(bad.id, "document_parsing_exception")],
    )
    assert set(documents(index)) == {good.id, last.id}


def test_the_fields_have_the_types_of_the_template(
    sink: ElasticsearchSink, index: str, client: Any, documents: Documents
) -> None:
    sink.deliver(Batch("a-1", encode(1)))
    ((_, mapping),) = dict(client.indices.get_mapping(index=f"{index}-*")).items()
    properties = mapping["mappings"]["properties"]
    metrics = properties["performance_metrics"]["properties"]
    assert properties["timestamp"]["type"] == "date"
    assert properties["transaction_id"]["type"] == "keyword"
    assert properties["event"]["properties"]["id"]["type"] == "keyword"
    assert properties["@timestamp"] == {"type": "alias", "path": "timestamp"}
    # 26 and 0 would have made them whole numbers for the rest of the day.
    assert metrics["inference_time_ms"]["type"] == metrics["memory_delta_mb"]["type"] == "double"
    assert metrics["profiler_overhead_ms"]["type"] == "double"
    assert metrics["function_calls"]["type"] == "long"
    assert metrics["top_functions"]["type"] == "nested"
    assert metrics["top_functions"]["properties"]["function"]["type"] == "keyword"


def test_a_template_that_somebody_changed_is_left_alone(server: tuple[str, str], index: str, client: Any) -> None:
    body = {"index_patterns": [f"{index}-*"], "priority": 500, "template": {"settings": {"number_of_replicas": 3}}}
    httpx.put(f"{server[1]}/_index_template/{index}", json=body).raise_for_status()
    sink = ElasticsearchSink(server[1], index, timeout_s=10.0)
    sink.deliver(Batch("a-1", encode(1)))
    sink.close()
    (found,) = dict(client.indices.get_index_template(name=index))["index_templates"]
    assert found["index_template"]["template"]["settings"]["index"]["number_of_replicas"] == "3"


def test_entries_arrive_through_the_whole_delivery(
    server: tuple[str, str], index: str, documents: Documents, tmp_path: Path
) -> None:
    delivery = LogDelivery([ElasticsearchSink(server[1], index, timeout_s=10.0)], spool_dir=tmp_path)
    for number in range(2000):
        delivery.submit(LogEntry(logging.INFO, "test", time.time_ns(), f"m{number}"))
    delivery.close(30.0)
    assert delivery.counters().sinks["elasticsearch"].delivered == 2000
    assert sorted(document["message"] for document in documents(index).values()) == sorted(
        f"m{number}" for number in range(2000)
    )


def test_a_server_that_hangs_in_the_middle_has_every_record_once(
    server: tuple[str, str],
    process: subprocess.Popen[bytes],
    index: str,
    documents: Documents,
    tmp_path: Path,
) -> None:
    delivery = LogDelivery([ElasticsearchSink(server[1], index, timeout_s=0.3)], spool_dir=tmp_path)

    def counters() -> SinkCounters:
        return delivery.counters().sinks["elasticsearch"]

    def submit(first: int, last: int) -> None:
        for number in range(first, last):
            delivery.submit(LogEntry(logging.INFO, "test", time.time_ns(), f"m{number}"))

    submit(0, 500)
    wait_until(lambda: counters().delivered == 500)
    process.send_signal(signal.SIGSTOP)
    submit(500, 2000)
    wait_until(lambda: counters().spooled >= 1500)
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: counters().delivered >= 2000)
    delivery.close()
    stored = Counter(document["message"] for document in documents(index).values())
    # Beside the records, the log itself says that the store is back.
    for message in [message for message in stored if message.startswith("A store takes log records again")]:
        del stored[message]
    assert stored == {f"m{number}": 1 for number in range(2000)}
    assert counters().dropped == 0


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
