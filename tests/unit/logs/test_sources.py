from __future__ import annotations

import io
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from perfcli.errors import MissingExtraError, SettingsError, TargetAnswerError, TargetUnreachableError, UsageError
from perfcli.logs.entry import Record
from perfcli.logs.query import LogQuery
from perfcli.logs.sinks import make_sink, redis_url
from perfcli.logs.sources import SOURCES, open_source
from perfcli.logs.sources.api import ApiSource
from perfcli.logs.sources.elasticsearch import ElasticsearchSource
from perfcli.logs.sources.file import FileSource
from perfcli.logs.sources.http import get_json
from perfcli.settings import Settings

Records = Callable[[int, int], list[Record]]


class EnoughError(Exception):
    """Ends a test that follows a log."""


def test_other_lines_between_the_records_are_passed_over(records: Records) -> None:
    one, two = records(1, 2)
    text = b"INFO:     Started server process [17]\n" + one.line + b"{}\n[1]\n\xff\xfe\n" + two.line
    source = FileSource(io.BytesIO(text), "log")
    assert source.read(LogQuery()) == [two, one]
    assert source.broken == 1


@pytest.mark.parametrize(
    ("text", "lines"),
    [(b"a,b\n1,2\n3,4\n", "3 lines"), (b"\x89PNG\r\n\x1a\n\0", "3 lines"), (b"hello", "1 line"), (b"{}\n", "1 line")],
)
def test_a_file_without_any_record_is_no_log(text: bytes, lines: str) -> None:
    with pytest.raises(UsageError, match=f"^rows.csv is no log: {lines}, and no record among them"):
        FileSource(io.BytesIO(text), "rows.csv").read(LogQuery())


def test_an_empty_file_is_a_log_without_records() -> None:
    assert FileSource(io.BytesIO(b""), "log").read(LogQuery()) == []


@pytest.mark.parametrize("timestamp", [b"5", b"null", b'"yesterday"', b'""'])
def test_a_line_that_does_not_say_when_is_no_record(timestamp: bytes, records: Records) -> None:
    (one,) = records(1, 1)
    source = FileSource(io.BytesIO(one.line + b'{"event.id":"x","timestamp":%b}\n' % timestamp), "log")
    assert source.read(LogQuery(limit=5)) == [one]
    assert source.broken == 1


def test_a_long_log_is_read_to_its_end() -> None:
    lines = b"".join(b'{"event.id":"r%d","timestamp":"2026-11-22T10:00:00.%06dZ"}\n' % (n, n) for n in range(150_000))
    source = FileSource(io.BytesIO(lines), "log")
    assert sum(1 for _ in source.scan(LogQuery())) == 150_000


def test_a_record_that_lost_the_end_of_its_line_is_read(records: Records) -> None:
    one, two = records(1, 2)
    assert FileSource(io.BytesIO(one.line + two.line.rstrip()), "log").read(LogQuery()) == [two, one]


def test_a_line_without_an_end_is_read_once_it_has_one(records: Records, tmp_path: Path) -> None:
    one, two = records(1, 2)
    log = tmp_path / "log"
    log.write_bytes(one.line + two.line[:30])
    with log.open("rb") as stream:
        source = FileSource(stream, "log")
        assert source.read(LogQuery()) == [one]
        with log.open("ab") as growing:
            growing.write(two.line[30:])
        assert source.read(LogQuery()) == [two]


def test_following_shows_the_last_records_and_then_each_new_one(records: Records, tmp_path: Path) -> None:
    made = records(1, 6)
    log = tmp_path / "log"
    log.write_bytes(b"".join(record.line for record in made[:4]))
    additions = iter([made[4].line + made[5].line[:10], made[5].line[10:]])

    def wait() -> None:
        addition = next(additions, None)
        if addition is None:
            raise EnoughError
        with log.open("ab") as growing:
            growing.write(addition)

    shown: list[Record] = []
    before: list[Record] = []
    with log.open("rb") as stream, pytest.raises(EnoughError):
        shown.extend(FileSource(stream, "log").follow(LogQuery(limit=2), wait, before.extend))
    assert (before, shown) == (made[:2], made[2:])


def test_following_starts_anew_when_the_file_was_cut_short(records: Records, tmp_path: Path) -> None:
    made = records(1, 4)
    log = tmp_path / "log"
    log.write_bytes(b"".join(record.line for record in made[:3]))
    actions = iter([lambda: log.write_bytes(made[3].line)])

    def wait() -> None:
        action = next(actions, None)
        if action is None:
            raise EnoughError
        action()

    shown: list[Record] = []
    with log.open("rb") as stream, pytest.raises(EnoughError):
        shown.extend(FileSource(stream, "log").follow(LogQuery(), wait))
    assert shown == made


def test_following_a_pipe_ends_with_its_writer(records: Records) -> None:
    made = records(1, 3)
    read_end, write_end = os.pipe()
    os.write(write_end, b"".join(record.line for record in made))
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        assert list(FileSource(stream, "stdin").follow(LogQuery(limit=1), lambda: None)) == made


@pytest.mark.parametrize("address", ["no/such/file", "ftp://host/log", "amqp://user:geheim@host"])
def test_an_address_that_names_nothing_lists_what_can_be_named(address: str) -> None:
    with pytest.raises(UsageError) as error:
        open_source(address, Settings())
    assert all(scheme in error.value.hint for scheme in SOURCES)
    assert "geheim" not in str(error.value)


def test_reading_from_redis_without_its_packages_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "perfcli.logs.sources.redis", raising=False)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match=r"perfcli\[redis\]"):
        open_source("redis", Settings())


def test_an_address_that_redis_does_not_take_is_answered_with_one_that_it_does() -> None:
    with pytest.raises(UsageError, match=r"^redis://localhost:port is no address of Redis\. Write") as error:
        open_source("redis://localhost:port", Settings())
    assert error.value.hint.startswith("Write it like redis://localhost:6379/0, and ")


def test_a_redis_that_is_down_is_one_sentence_with_one_full_stop() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"redis://127.0.0.1:{held.getsockname()[1]}/0"
        with (
            closing(open_source(address, Settings())) as source,
            pytest.raises(TargetUnreachableError) as error,
        ):
            source.read(LogQuery())
    assert error.value.message.startswith(f"Cannot read logs from {address}: ")
    assert error.value.message.endswith(" refused.")


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        open_source(str(tmp_path), Settings())


def test_an_address_without_its_scheme_is_answered_with_it() -> None:
    with pytest.raises(UsageError) as error:
        open_source("localhost:8000", Settings())
    assert (error.value.message, error.value.hint) == (
        "There is no log at localhost:8000.",
        "Did you mean http://localhost:8000?",
    )


def test_a_header_that_cannot_be_sent_is_not_quoted() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError("illegal header value b'bearer s3cret\\n'")

    with httpx.Client(transport=httpx.MockTransport(refuse)) as client, pytest.raises(TargetUnreachableError) as error:
        get_json(client, client.build_request("GET", "http://host"), "http://host")
    assert error.value.message == "Cannot read logs from http://host: LocalProtocolError."


def test_a_token_may_hold_any_letters() -> None:
    source = ApiSource("http://host", "gehe\u00efm")
    source.close()


@pytest.mark.parametrize("address", ["redis://me:geh/eim@host", "redis://me:geh#eim@host", "redis://me:geh?eim@host"])
def test_no_part_of_a_password_is_shown_when_it_breaks_the_address(address: str) -> None:
    with pytest.raises(UsageError) as error:
        open_source(address, Settings())
    assert error.value.message == "redis://***@host is no address of Redis."


@pytest.fixture
def elasticsearch_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[object], ElasticsearchSource]]:
    """Open a source whose server answers everything with the same JSON."""
    source = ElasticsearchSource("http://host", "perfcli")

    def answering(answer: object) -> ElasticsearchSource:
        monkeypatch.setattr("perfcli.logs.sources.elasticsearch.get_json", lambda *_: answer)
        return source

    yield answering
    source.close()


@pytest.mark.parametrize("found", [{"x": 1}, None, [], "text", {"event.id": "a", "timestamp": 5}])
def test_documents_of_others_in_the_index_are_passed_over(
    found: object, records: Records, elasticsearch_that_answers: Callable[[object], ElasticsearchSource]
) -> None:
    (one,) = records(1, 1)
    hits = [{"_source": found, "sort": [2]}, {"sort": [2]}, {"_source": json.loads(one.line), "sort": [1]}]
    source = elasticsearch_that_answers({"count": 3, "hits": {"hits": hits}})
    assert source.read(LogQuery()) == [one]
    assert source.broken == 2
    page = source.page(LogQuery(limit=5), 0)
    assert (page.records, page.total) == ([one], 3)


@pytest.mark.parametrize(
    "answer",
    [
        {"count": 1, "hits": {"hits": None}},
        {"count": 1, "hits": {"hits": ["a"]}},
        {"count": 1, "hits": {"hits": [{"_source": {}}]}},
        {"count": "x", "hits": {"hits": "x"}},
        {"count": None, "hits": None},
    ],
)
def test_an_answer_that_is_no_search_result_is_said(
    answer: object, elasticsearch_that_answers: Callable[[object], ElasticsearchSource]
) -> None:
    source = elasticsearch_that_answers(answer)
    for read in (lambda: source.read(LogQuery()), lambda: source.page(LogQuery(limit=1), 0)):
        with pytest.raises(TargetAnswerError, match="no search result"):
            read()


BROKEN = ["http://[bad", "http://localhost:abc", "http://localhost:99999", "http://elastic:p#ss@h:9200", "http://"]


@pytest.mark.parametrize("url", [*BROKEN, *(f"es+{url}" for url in BROKEN)])
def test_an_address_that_cannot_be_one_is_an_error(url: str) -> None:
    with pytest.raises(UsageError, match="is no address of a server") as error:
        open_source(url, Settings())
    assert "p#ss" not in str(error.value)


@pytest.mark.parametrize("url", BROKEN)
def test_a_store_whose_address_cannot_be_one_is_named_by_its_variable(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^ELASTICSEARCH_URL=.* is no address of a server") as error:
        make_sink("elasticsearch", Settings(elasticsearch_url=url))
    assert "p#ss" not in str(error.value)
    with pytest.raises(SettingsError, match=r"^ELASTICSEARCH_URL="):
        open_source("elasticsearch", Settings(elasticsearch_url=url))


def test_a_redis_at_an_address_of_ipv6_has_its_brackets() -> None:
    assert redis_url(Settings(redis_host="::1")) == "redis://[::1]:6379/0"
