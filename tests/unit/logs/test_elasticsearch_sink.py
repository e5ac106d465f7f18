"""What no server at hand does on request: refuse single records, hang, break off, find a body too long."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat

import pytest

from perfcli.logs.batch import Batch, Receipt, Rejection, StoreDownError, StoreRefusedError
from perfcli.logs.entry import Record
from perfcli.logs.sinks.elasticsearch import ElasticsearchSink

Answer = Callable[[BaseHTTPRequestHandler, list[str]], None]


@dataclass
class Stub:
    """Stores documents as a server would, unless the test has queued another answer for the next `_bulk`."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    template_status: int = 200
    stored: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def store(self, ids: Sequence[str]) -> list[int]:
        statuses = [409 if record_id in self.stored else 201 for record_id in ids]
        self.stored += [record_id for record_id, status in zip(ids, statuses, strict=True) if status == 201]
        return statuses


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def bulk_body(statuses: Sequence[int]) -> bytes:
    items = [
        {"create": {"status": status} if status < 300 else {"status": status, "error": {"type": f"error_{status}"}}}
        for status in statuses
    ]
    return json.dumps({"errors": any(status >= 300 for status in statuses), "items": items}).encode()


@pytest.fixture
def stub() -> Iterator[Stub]:
    state = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            state.requests.append(f"PUT {self.path}")
            reply(self, state.template_status, b"{}")

        def do_GET(self) -> None:
            state.requests.append(f"GET {self.path}")
            reply(self, 404, b"{}")

        def do_POST(self) -> None:
            lines = self.rfile.read(int(self.headers["content-length"])).split(b"\n")
            assert self.headers["content-type"] == "application/x-ndjson"
            assert lines.pop() == b""
            ids = [json.loads(line)["create"]["_id"] for line in lines[::2]]
            state.requests.append(f"POST {self.path} {len(ids)}")
            if state.answers:
                state.answers.pop(0)(self, ids)
            else:
                reply(self, 200, bulk_body(state.store(ids)))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    state.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sink(stub: Stub) -> Iterator[ElasticsearchSink]:
    made = ElasticsearchSink(stub.url, "perfcli", timeout_s=5.0)
    yield made
    made.close()


@pytest.fixture
def batch(records: Callable[[int, int], list[Record]]) -> Batch:
    return Batch("a-1", tuple(records(1, 6)))


def with_statuses(*statuses: int) -> Answer:
    return lambda handler, ids: reply(handler, 200, bulk_body(statuses))


def with_status(status: int) -> Answer:
    return lambda handler, ids: reply(handler, status, b'{"error":{"reason":"no"}}')


def test_the_request_asks_for_no_more_than_is_looked_at(stub: Stub, sink: ElasticsearchSink, batch: Batch) -> None:
    assert sink.deliver(batch) == Receipt()
    assert sink.deliver(batch) == Receipt()
    path = "/_bulk?filter_path=errors,items.*.status,items.*.error.type"
    assert stub.requests == ["PUT /_index_template/perfcli?create=true", f"POST {path} 6", f"POST {path} 6"]
    assert stub.stored == ["r1", "r2", "r3", "r4", "r5", "r6"]


def test_each_record_has_its_own_fate(stub: Stub, sink: ElasticsearchSink, batch: Batch) -> None:
    stub.answers = [with_statuses(201, 429, 400, 409, 503, 200)]
    records = batch.records
    assert sink.deliver(batch) == Receipt(
        again=(records[1], records[4]), rejected=(Rejection(records[2], "error_400"),)
    )


@pytest.mark.parametrize("status", [413, 500, 502])
def test_a_document_that_fails_each_time_does_not_hold_up_the_others(
    stub: Stub, sink: ElasticsearchSink, batch: Batch, status: int
) -> None:
    stub.answers = [with_statuses(201, status, 201, 201, 201, 201)]
    assert sink.deliver(batch) == Receipt(rejected=(Rejection(batch.records[1], f"error_{status}"),))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(stub: Stub, sink: ElasticsearchSink, batch: Batch, status: int) -> None:
    stub.answers = [with_status(status)]
    with pytest.raises(StoreDownError, match=f"answers {status}"):
        sink.deliver(batch)
    assert sink.deliver(batch) == Receipt()


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405])
def test_a_server_that_refuses_us_is_not_asked_again(
    stub: Stub, sink: ElasticsearchSink, batch: Batch, status: int
) -> None:
    stub.answers = [with_status(status)]
    with pytest.raises(StoreRefusedError, match=f"answers {status}"):
        sink.deliver(batch)


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_single_documents_for_our_credentials_refuses_us(
    stub: Stub, sink: ElasticsearchSink, batch: Batch, status: int
) -> None:
    stub.answers = [with_statuses(201, status, 201, 201, 201, 201)]
    with pytest.raises(StoreRefusedError, match=f"answers {status}"):
        sink.deliver(batch)


def test_a_body_that_is_too_long_is_halved_until_it_fits(stub: Stub, sink: ElasticsearchSink, batch: Batch) -> None:
    def at_most_two(handler: BaseHTTPRequestHandler, ids: list[str]) -> None:
        reply(handler, *((413, b"") if len(ids) > 2 else (200, bulk_body(stub.store(ids)))))

    stub.answers = [at_most_two] * 9
    assert sink.deliver(batch) == Receipt()
    assert [int(request.rpartition(" ")[2]) for request in stub.requests[1:]] == [6, 3, 1, 2, 3, 1, 2]
    assert stub.stored == ["r1", "r2", "r3", "r4", "r5", "r6"]


def test_a_record_that_is_too_long_alone_is_rejected(stub: Stub, sink: ElasticsearchSink, batch: Batch) -> None:
    def without_the_third(handler: BaseHTTPRequestHandler, ids: list[str]) -> None:
        reply(handler, *((413, b"") if "r3" in ids else (200, bulk_body(stub.store(ids)))))

    stub.answers = [without_the_third] * 9
    assert sink.deliver(batch) == Receipt(rejected=(Rejection(batch.records[2], "request_entity_too_large"),))
    assert stub.stored == ["r1", "r2", "r4", "r5", "r6"]


def stored_but(answer: Callable[[BaseHTTPRequestHandler, bytes], None], stub: Stub) -> Answer:
    def store(handler: BaseHTTPRequestHandler, ids: list[str]) -> None:
        answer(handler, bulk_body(stub.store(ids)))
        handler.close_connection = True

    return store


def cut_off(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    reply(handler, 200, body[: len(body) // 2])


def one_item_missing(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    document = json.loads(body)
    reply(handler, 200, json.dumps({**document, "items": document["items"][:-1]}).encode())


def shorter_than_announced(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    reply(handler, 200, body[: len(body) // 2], length=len(body))


def closed_without_an_answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def half_closed(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.connection.shutdown(socket.SHUT_WR)


def no_json(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    reply(handler, 200, b"<html>It works!</html>")


def another_json(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    reply(handler, 200, b'{"items": [{"index": {}}]}')


BROKEN = [
    cut_off,
    one_item_missing,
    shorter_than_announced,
    closed_without_an_answer,
    half_closed,
    no_json,
    another_json,
]


@pytest.mark.parametrize("answer", BROKEN)
def test_records_whose_answer_is_lost_are_sent_again_and_stored_once(
    stub: Stub, sink: ElasticsearchSink, batch: Batch, answer: Callable[[BaseHTTPRequestHandler, bytes], None]
) -> None:
    stub.answers = [stored_but(answer, stub)]
    with pytest.raises(StoreDownError):
        sink.deliver(batch)
    assert sink.deliver(batch) == Receipt()
    assert stub.stored == ["r1", "r2", "r3", "r4", "r5", "r6"]


def test_a_server_that_hangs_costs_the_time_limit_and_no_more(stub: Stub, batch: Batch) -> None:
    # Without a clock of its own, which has the same limit, but other words for an answer that was read too late.
    sink = ElasticsearchSink(stub.url, "perfcli", timeout_s=0.1, clock=lambda: 0.0)

    def hang(handler: BaseHTTPRequestHandler, ids: list[str]) -> None:
        stub.released.wait(10)
        handler.close_connection = True

    stub.answers = [hang]
    with pytest.raises(StoreDownError, match="timed out"):
        sink.deliver(batch)
    sink.close()


def test_a_server_that_drips_is_cut_off_at_the_time_limit(stub: Stub, batch: Batch) -> None:
    # The template is installed at once; the first piece of the answer to `_bulk` comes at 10 s.
    seconds = chain([0.0, 0.0, 0.0], repeat(10.0))
    sink = ElasticsearchSink(stub.url, "perfcli", timeout_s=5.0, clock=lambda: next(seconds))

    def drip(handler: BaseHTTPRequestHandler, ids: list[str]) -> None:
        reply(handler, 200, b"{", length=1_000_000)
        handler.close_connection = stub.released.wait(10)

    stub.answers = [drip]
    with pytest.raises(StoreDownError, match="too slowly"):
        sink.deliver(batch)
    sink.close()


def test_a_dead_port_is_a_failure_that_may_pass(batch: Batch) -> None:
    # Held, so that nobody else gets the port, but not listened on.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        sink = ElasticsearchSink(f"http://127.0.0.1:{held.getsockname()[1]}", "perfcli")
        with pytest.raises(StoreDownError, match="refused"):
            sink.deliver(batch)
        sink.close()


def test_a_password_is_shown_nowhere_and_sent_to_the_server(
    stub: Stub, batch: Batch, caplog: pytest.LogCaptureFixture
) -> None:
    sink = ElasticsearchSink(stub.url.replace("//", "//elastic:geheim@"), "perfcli")
    seen: list[str | None] = []

    def refuse(handler: BaseHTTPRequestHandler, ids: list[str]) -> None:
        seen.append(handler.headers["authorization"])
        reply(handler, 401, b"{}")

    stub.answers = [refuse]
    with pytest.raises(StoreRefusedError) as error:
        sink.deliver(batch)
    sink.close()
    assert seen == ["Basic ZWxhc3RpYzpnZWhlaW0="]
    assert "elastic:***@127.0.0.1" in str(error.value)
    assert "geheim" not in str(error.value) + sink.address + caplog.text


@pytest.mark.parametrize("status", [400, 403])
def test_without_a_template_the_documents_are_stored_all_the_same(
    stub: Stub, sink: ElasticsearchSink, batch: Batch, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    stub.template_status = status
    assert sink.deliver(batch) == Receipt()
    assert len(stub.stored) == 6
    assert [record.levelname for record in caplog.records if record.name == "perfcli.logs"] == ["WARNING"]
