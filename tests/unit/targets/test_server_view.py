"""What a remote API says of the requests that were measured, read from a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from perfcli.records import ServerView
from perfcli.targets.remote import RemoteTarget, open_remote

METRICS = {
    "inference_time_ms": 4.0,
    "cpu_time_ms": 3.0,
    "memory_mb": 10.0,
    "memory_delta_mb": 0.0,
    "function_calls": None,
    "latency_ms": 5.0,
    "top_functions": None,
}


def http_answer(document: object, status: str = "200 OK", *headers: str) -> bytes:
    body = orjson.dumps(document)
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


class Api:
    """Answers predictions with Server-Timing, and keeps a log of them."""

    def __init__(
        self,
        *,
        logs: bytes | None = None,
        timings: tuple[str, ...] = (),
        log_path: str = "/v1/logs",
        token: str | None = None,
    ) -> None:
        self.log_path = log_path
        self.token = token
        self.logs = logs
        self.timings = timings
        self.entries: list[dict[str, object]] = [{"transaction_id": "somebody-else", "performance_metrics": METRICS}]
        self.authorizations: list[str | None] = []

    def __call__(self, request) -> bytes:
        url = urlsplit(request.path)
        if url.path == "/v1/predict":
            metrics = METRICS | {"inference_time_ms": 4.0 + len(self.entries)}
            self.entries.insert(0, {"transaction_id": request.headers["x-request-id"], "performance_metrics": metrics})
            return http_answer([1], "200 OK", *self.timings)
        self.authorizations.append(request.headers.get("authorization"))
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            return http_answer({"detail": "no"}, "401 Unauthorized")
        if url.path != self.log_path:
            return http_answer({}, "404 Not Found")
        if self.logs is not None:
            return self.logs
        query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        page = self.entries[query["offset"] : query["offset"] + query["limit"]]
        return http_answer({"total": len(self.entries), "logs": page})


@pytest.fixture
def measured(serve) -> Iterator[Callable[..., ServerView | None]]:
    """Make requests to an API, and return what it says of them."""
    targets: list[RemoteTarget] = []

    def measure(api: Api, requests: int = 3, *headers: str, token: str | None = None) -> ServerView | None:
        url = serve(api).url.replace("/predict", "/v1/predict")
        target = open_remote(url, headers=headers, timeout_s=1, insecure=False, http_method="POST", log_token=token)
        assert isinstance(target, RemoteTarget)
        targets.append(target)
        call = target.prepare({"a": 1})
        for _ in range(requests):
            call()
        return target.server_view()

    yield measure
    for target in targets:
        target.close()


@pytest.mark.parametrize("log_path", ["/v1/logs", "/logs"])
def test_records_of_exactly_these_requests_are_summed_up(measured, log_path: str) -> None:
    view = measured(Api(log_path=log_path))
    assert view is not None
    assert view.records == 3
    assert view.metrics is not None
    assert view.metrics.inference_time_s == 0.006
    assert view.metrics.latency_s == 0.005
    assert (view.timings, view.functions) == ({}, ())


def test_server_timing_is_read_from_all_its_lines(measured) -> None:
    api = Api(
        logs=http_answer({}, "404 Not Found"), timings=("Server-Timing: db;dur=2, app;dur=5", "server-timing: t;dur=7")
    )
    assert measured(api) == ServerView(
        timings={"db": 0.002, "app": 0.005, "t": 0.007}, metrics=None, records=0, functions=()
    )


def test_the_credential_of_the_user_goes_with_the_question(measured) -> None:
    api = Api()
    assert measured(api, 1, "Authorization: Bearer abc") is not None
    assert set(api.authorizations) == {"Bearer abc"}


@pytest.mark.parametrize(
    "logs",
    [
        http_answer({"detail": "broken"}, "500 Internal Server Error"),
        http_answer([1, 2]),
        http_answer({"logs": {}}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_a_log_that_fails_is_no_error(measured, logs: bytes) -> None:
    assert measured(Api(logs=logs)) is None


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_log_that_is_kept_from_us_is_said(measured, token: str | None) -> None:
    view = measured(Api(token="secret"), token=token)
    assert view == ServerView(timings={}, metrics=None, records=0, functions=(), log_refused=True)


@pytest.mark.parametrize("log_path", ["/v1/logs", "/logs"])
def test_the_token_opens_the_log_of_an_api_that_asks_for_one(measured, log_path: str) -> None:
    api = Api(token="secret", log_path=log_path)
    view = measured(api, 3, "Authorization: Bearer of-the-user", token="secret")
    assert view is not None
    assert (view.records, view.log_refused) == (3, False)
    assert api.authorizations[:2] == ["Bearer of-the-user", "Bearer secret"]


def test_an_api_that_does_not_ask_for_the_token_does_not_see_it(measured) -> None:
    api = Api()
    assert measured(api, 1, token="secret") is not None
    assert set(api.authorizations) == {None}


def test_without_a_request_nothing_is_asked(measured) -> None:
    api = Api()
    assert measured(api, 0) is None
    assert api.authorizations == []
