"""A remote target against a real server: what is sent, what is read, and every way it can go wrong."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import orjson
import pytest
import trustme

from perfcli.errors import PayloadError, PerfcliError, TargetAnswerError, TargetUnreachableError, UsageError
from perfcli.targets.protocol import Target
from perfcli.targets.remote import open_remote

Serve = Callable[..., object]
Open = Callable[..., Target]


def http_answer(body: bytes = b"[1]", status: str = "200 OK", *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Content-Type: {kind}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@pytest.fixture
def connect() -> Iterator[Open]:
    """Open targets that are closed with the test."""
    with ExitStack() as targets:

        def start(
            url: str, *headers: str, timeout_s: float = 5.0, insecure: bool = False, method: str = "POST"
        ) -> Target:
            target = open_remote(url, headers=headers, timeout_s=timeout_s, insecure=insecure, http_method=method)
            targets.callback(target.close)
            return target

        yield start


def failure(target: Target) -> PerfcliError:
    call = target.prepare({"age": 1})
    with pytest.raises(PerfcliError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_payload_is_posted_as_json_and_the_answer_read(serve, connect) -> None:
    server = serve(http_answer(b'{"predictions": [1, 0]}'))
    target = connect(server.url, "X-Team: fraud")
    assert target.prepare([{"age": 1}, {"age": 2}])() == {"predictions": [1, 0]}
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/predict")
    assert orjson.loads(request.body) == [{"age": 1}, {"age": 2}]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-team"] == "fraud"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["user-agent"].startswith("perfcli/")
    assert (target.kind, target.name, target.method, target.load_s) == ("remote", server.url, "POST", None)


def test_every_request_has_an_id_of_its_own_on_one_connection(serve, connect) -> None:
    server = serve(http_answer())
    target, other = connect(server.url), connect(server.url)
    first, second = target.prepare({"a": 1}), target.prepare({"a": 2})
    for call in (first, second, first, other.prepare({"a": 1})):
        call()
    ids = [request.headers["x-request-id"] for request in server.received]
    assert [re.sub("-[0-9a-f]{8}-", "-", one) for one in ids] == ["perfcli-1", "perfcli-2", "perfcli-3", "perfcli-1"]
    assert len(set(ids)) == 4
    assert server.connections == 2


def test_a_get_request_carries_the_row_in_its_query(serve, connect) -> None:
    server = serve(http_answer())
    target = connect(f"{server.url}?version=2", method="get")
    target.prepare({"age": 1, "name": "a b"})()
    assert server.received[0].path == "/predict?version=2&age=1&name=a+b"
    assert (server.received[0].method, server.received[0].body, target.method) == ("GET", b"", "GET")
    for payload in ([{"age": 1}], {"age": [1]}):
        with pytest.raises(PayloadError, match="carries one flat row"):
            target.prepare(payload)


def test_a_header_replaces_the_one_perfcli_would_send(serve, connect) -> None:
    server = serve(http_answer())
    connect(server.url, "content-type: application/vnd.rows+json").prepare({"a": 1})()
    assert server.received[0].headers["content-type"] == "application/vnd.rows+json"


def test_a_token_comes_from_the_environment_and_is_never_shown(serve, connect, monkeypatch) -> None:
    monkeypatch.setenv("TOKEN", "Bearer abc123")
    server = serve(lambda request: http_answer(f"no: {request.headers['authorization']}, abc123".encode(), "403 No"))
    target = connect(server.url, "Authorization: env:TOKEN")
    error = failure(target)
    assert server.received[0].headers["authorization"] == "Bearer abc123"
    assert error.message == f"{server.url} answered 403 No: no: ***, ***."
    assert "abc123" not in repr(vars(target)["_headers"])


def test_a_password_in_the_url_is_sent_and_masked(serve, connect) -> None:
    server = serve(http_answer(b"gone", "410 Gone"))
    url = server.url.replace("127.0.0.1", "me:hunter2@127.0.0.1") + "?api_key=k1&page=2"
    target = connect(url)
    error = failure(target)
    shown = server.url.replace("127.0.0.1", "me:***@127.0.0.1") + "?api_key=***&page=2"
    assert target.name == shown
    assert error.message == f"{shown} answered 410 Gone: gone."
    assert server.received[0].headers["authorization"].startswith("Basic ")
    assert "api_key=k1" in server.received[0].path


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("400 Bad Request", "The API does not take this payload"),
        ("401 Unauthorized", "--header 'Authorization: env:TOKEN'"),
        ("404 Not Found", "Check the path"),
        ("405 Method Not Allowed", "--http-method"),
        ("422 Unprocessable Entity", "The API does not take this payload"),
        ("429 Too Many Requests", "limits the rate"),
        ("500 Internal Server Error", "Read the log of the API"),
        ("503 Service Unavailable", "Read the log of the API"),
        ("418 I'm a teapot", ""),
    ],
)
def test_an_error_status_shows_the_first_line_of_the_answer(serve, connect, status: str, hint: str) -> None:
    server = serve(http_answer(b'\n{"detail": "no such model"}\nmore\n', status))
    error = failure(connect(server.url))
    assert isinstance(error, TargetAnswerError)
    assert error.message == f'{server.url} answered {status}: {{"detail": "no such model"}}.'
    assert hint in error.hint


def test_a_status_without_text_is_named(serve, connect) -> None:
    server = serve(http_answer(b"", "502 "))
    assert failure(connect(server.url)).message == f"{server.url} answered 502 Bad Gateway."


def test_a_redirect_is_an_error_that_names_where_to(serve, connect) -> None:
    server = serve(http_answer(b"", "307 Temporary Redirect", "Location: /predict/"))
    error = failure(connect(server.url))
    assert isinstance(error, TargetAnswerError)
    assert error.message == f"{server.url} redirects to {server.url}/ (307 Temporary Redirect)."
    assert error.hint == f"Measure that: --url {server.url}/"
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("body", "kind", "found"),
    [
        (b"<html>\n<body>", "text/html; charset=utf-8", "200 with text/html: <html>"),
        (b"", "application/json", "200 with nothing"),
        (b"{1", "application/json", "200 with application/json: {1"),
        (b"NaN", "application/json", "200 with application/json: NaN"),
    ],
)
def test_an_answer_that_is_not_json_is_an_error(serve, connect, body: bytes, kind: str, found: str) -> None:
    server = serve(http_answer(body, kind=kind))
    error = failure(connect(server.url))
    assert isinstance(error, TargetAnswerError)
    assert error.message == f"{server.url} answered {found}, which is not JSON."


def test_a_refused_connection_on_loopback_suggests_to_serve(connect, free_port: int) -> None:
    for host in ("127.0.0.1", "localhost"):
        error = failure(connect(f"http://{host}:{free_port}/predict"))
        assert isinstance(error, TargetUnreachableError)
        assert error.message == f"Cannot reach http://{host}:{free_port}/predict: connection refused."
        assert error.hint == "Start the API with `perfcli serve`."


@pytest.mark.parametrize("host", ["no-such-host.invalid", f"{'a' * 64}.example"])
def test_an_unknown_name_is_named(connect, host: str) -> None:
    error = failure(connect(f"http://{host}/predict"))
    assert isinstance(error, TargetUnreachableError)
    assert error.message == f"Cannot reach http://{host}/predict: the name '{host}' is unknown."
    assert error.hint == "Check the spelling of the host."


def test_an_answer_that_does_not_come_is_a_timeout(serve, connect, then) -> None:
    server = serve([then.HOLD])
    error = failure(connect(server.url, timeout_s=0.05))
    assert isinstance(error, TargetUnreachableError)
    assert error.message == f"{server.url} did not answer within 50.0 ms."
    assert error.hint == "Allow more time with --timeout."


def test_a_body_that_stops_is_a_timeout(serve, connect, then) -> None:
    server = serve([http_answer(b"[1, 2, 3]")[:-4], then.HOLD])
    assert failure(connect(server.url, timeout_s=0.05)).message == f"{server.url} did not answer within 50.0 ms."


@pytest.mark.parametrize("answer", [b"", http_answer(b"[1, 2, 3]")[:-4], b"HTTP/1.1 200 OK\r\n"])
def test_a_connection_closed_too_early_is_named(serve, connect, then, answer: bytes) -> None:
    server = serve([answer, then.CLOSE])
    error = failure(connect(server.url))
    assert isinstance(error, TargetAnswerError)
    assert error.message == f"{server.url} closed the connection before its answer was complete."


def test_a_reset_connection_is_named(serve, connect, then) -> None:
    server = serve([then.RESET])
    error = failure(connect(server.url))
    assert isinstance(error, TargetAnswerError)
    assert error.message == f"{server.url} broke the connection off: connection reset by peer."


def test_a_connection_the_server_closed_meanwhile_is_opened_anew(serve, connect, then) -> None:
    server = serve([http_answer(), then.CLOSE])
    call = connect(server.url).prepare({"a": 1})
    call()
    server.wait_until_closed(1)
    assert call() == [1]
    assert server.connections == 2


def test_a_port_that_does_not_speak_http_is_named(serve, connect) -> None:
    server = serve(b"", greeting=b"220 smtp.example.org ready\r\n\r\n")
    error = failure(connect(server.url))
    assert isinstance(error, TargetAnswerError)
    assert error.message.startswith(f"{server.url} does not answer in HTTP: ")
    assert error.hint == "Check the port, and whether it expects https://."


def test_a_body_that_cannot_be_unpacked_is_named(serve, connect) -> None:
    server = serve(http_answer(b"not gzip", "200 OK", "Content-Encoding: gzip"))
    error = failure(connect(server.url))
    assert isinstance(error, TargetAnswerError)
    assert error.message.startswith(f"The answer of {server.url} cannot be read: DecodingError: ")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def test_an_untrusted_certificate_suggests_insecure(serve, connect, tls: ssl.SSLContext) -> None:
    server = serve(http_answer(), tls)
    error = failure(connect(server.url))
    assert isinstance(error, TargetUnreachableError)
    assert error.message == f"Cannot trust {server.url}: unable to get local issuer certificate."
    assert error.hint == "If you know this server, add --insecure."
    assert connect(server.url, insecure=True).prepare({"a": 1})() == [1]


def test_a_certificate_of_a_trusted_authority_is_verified(
    serve, connect, tls: ssl.SSLContext, authority: trustme.CA, monkeypatch
) -> None:
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        server = serve(http_answer(), tls)
        target = connect(server.url)
    with target.staged() as clock:
        assert target.prepare({"a": 1})() == [1]
        cold = clock.take()
    assert [phase for phase in cold if phase != "receive"] == ["connect", "tls", "send", "wait"]


def test_certificates_that_cannot_be_read_are_refused(connect, monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    with pytest.raises(UsageError) as caught:
        connect("https://127.0.0.1/predict")
    assert "SSL_CERT_FILE" in caught.value.message
    assert caught.value.message.endswith("cannot be read: No such file or directory.")


def test_a_proxy_of_the_environment_is_passed_by(serve, connect, monkeypatch, free_port: int) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    assert connect(serve(http_answer()).url).prepare({"a": 1})() == [1]


def test_tls_with_a_port_that_has_none_is_named(serve, connect) -> None:
    server = serve(b"", greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n")
    error = failure(connect(server.url.replace("http:", "https:"), timeout_s=2))
    assert isinstance(error, TargetUnreachableError)
    assert error.message.startswith("Cannot speak TLS with https://127.0.0.1:")
    assert error.hint == "Check the port, and whether it expects http://."


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000/predict", "'localhost:8000/predict' is not an HTTP URL."),
        ("ftp://me:hunter2@host/predict", "'ftp://me:***@host/predict' is not an HTTP URL."),
        ("http:///predict", "'http:///predict' is not an HTTP URL."),
        ("", "'' is not an HTTP URL."),
        ("http://host:port/predict", "'http://host:port/predict' is not a URL: Invalid port: 'port'."),
    ],
)
def test_what_is_no_http_url_is_refused(connect, url: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect(url)
    assert caught.value.message == message
    assert caught.value.hint == "Write it like http://host:8000/predict."


def test_a_method_that_cannot_predict_is_refused(connect) -> None:
    with pytest.raises(UsageError) as caught:
        connect("http://127.0.0.1/predict", method="HEAD")
    assert (caught.value.message, caught.value.hint) == ("Cannot predict with HEAD.", "Choose POST, PUT, PATCH or GET.")
