from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.logs.entry import Encoder, LogEntry, Record, new_writer_id

CREATED_NS = 1_795_304_645_000_042_999


def test_an_entry_becomes_one_json_line() -> None:
    entry = LogEntry(
        logging.INFO,
        "perfcli.performance",
        CREATED_NS,
        "one prediction",
        "req-1",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        lambda: {"performance_metrics": {"inference_time_ms": 26.46, "top_functions": [{"function": "predict"}]}},
    )
    record = Encoder("0123456789abcdef").encode(entry)
    assert record.line.endswith(b"}\n")
    assert json.loads(record.line) == {
        "timestamp": "2026-11-21T23:44:05.000042Z",
        "level": "INFO",
        "logger": "perfcli.performance",
        "message": "one prediction",
        "transaction_id": "req-1",
        "event.id": "0123456789abcdef-1",
        "trace.id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "performance_metrics": {"inference_time_ms": 26.46, "top_functions": [{"function": "predict"}]},
    }
    assert (record.id, record.timestamp) == ("0123456789abcdef-1", "2026-11-21T23:44:05.000042Z")


def test_an_entry_outside_of_a_request_has_no_transaction_and_no_trace() -> None:
    document = json.loads(Encoder("w").encode(LogEntry(logging.WARNING, "l", CREATED_NS, "m")).line)
    assert document["transaction_id"] is None
    assert "trace.id" not in document
    assert document["level"] == "WARNING"


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000_000))
def test_the_timestamp_is_utc_to_the_microsecond(created_ns: int) -> None:
    record = Encoder("w").encode(LogEntry(logging.INFO, "l", created_ns, "m"))
    whole_s, rest_ns = divmod(created_ns, 10**9)
    expected = datetime.fromtimestamp(whole_s, UTC).replace(microsecond=rest_ns // 1000)
    assert datetime.fromisoformat(record.timestamp) == expected
    assert len(record.timestamp) == len("2026-11-21T23:44:05.000042Z")


@given(st.text(), st.dictionaries(st.text(), st.text() | st.floats() | st.none() | st.integers()))
def test_any_text_and_any_number_make_exactly_one_valid_line(message: str, fields: Mapping[str, object]) -> None:
    record = Encoder("w").encode(LogEntry(logging.INFO, "l", CREATED_NS, message, fields=lambda: {"f": fields}))
    assert record.line.count(b"\n") == 1
    document = json.loads(record.line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert document["event.id"] == record.id


def test_a_number_that_json_has_not_is_null() -> None:
    line = Encoder("w").encode(LogEntry(logging.INFO, "l", 0, "m", fields=lambda: {"f": [math.nan, math.inf]})).line
    assert json.loads(line)["f"] == [None, None]


def test_fields_that_raise_leave_the_entry_and_the_type_of_the_error_only() -> None:
    def fields() -> Mapping[str, object]:
        raise RuntimeError("patient 42 has 17.99")

    document = json.loads(Encoder("w").encode(LogEntry(logging.INFO, "l", 0, "m", "t", fields=fields)).line)
    assert document == {
        "timestamp": "1970-01-01T00:00:00.000000Z",
        "level": "INFO",
        "logger": "l",
        "message": "m",
        "transaction_id": "t",
        "event.id": "w-1",
        "fields_error": "RuntimeError",
    }


def test_a_field_that_cannot_be_written_is_named_and_the_others_are_kept() -> None:
    fields = {"performance_metrics": {"cpu_time_ms": 1.5, "row_hash": 2**64, "who": "\ud800"}, "kept": [1]}
    document = json.loads(Encoder("w").encode(LogEntry(logging.INFO, "l", 0, "m", fields=lambda: fields)).line)
    assert document["performance_metrics"] == {"cpu_time_ms": 1.5, "row_hash": None, "who": None}
    assert document["kept"] == [1]
    assert document["fields_error"] == "TypeError: performance_metrics.row_hash, performance_metrics.who"


def test_text_that_is_no_utf_8_is_escaped() -> None:
    document = json.loads(Encoder("w").encode(LogEntry(logging.INFO, "l", 0, "bad \ud800")).line)
    assert document["message"] == "bad \\ud800"


def test_a_foreign_object_is_named_by_its_type_and_never_shown() -> None:
    line = Encoder("w").encode(LogEntry(logging.INFO, "l", 0, "m", fields=lambda: {"f": {1, 2}})).line
    assert json.loads(line)["f"] == "<set>"


def test_ids_are_unique_among_writers_and_entries() -> None:
    entry = LogEntry(logging.INFO, "l", 0, "m")
    encoders = [Encoder(new_writer_id()) for _ in range(50)]
    assert len({encoder.encode(entry).id for encoder in encoders for _ in range(20)}) == 1000


def test_a_written_line_is_read_back_as_the_same_record() -> None:
    record = Encoder("w").encode(LogEntry(logging.INFO, "l", CREATED_NS, "m"))
    assert Record.from_line(record.line) == record


@pytest.mark.parametrize("line", [b'{"event.id": "a", "timest', b"{}\n", b"[1]\n", b"\n", b"3\n"])
def test_a_line_that_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Record.from_line(line)
