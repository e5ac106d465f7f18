from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from perfcli.loadtest.server_metrics import MetricSample, MetricsRefusedError, account, parse_metrics, read_metrics
from perfcli.records.load import CountCheck

MLSERVER = """\
# HELP rest_server_requests_total Total requests
# TYPE rest_server_requests_total counter
rest_server_requests_total{app_name="starlette",method="GET",path="/v2/models/iris/ready",status_code="200"} 3.0
rest_server_requests_total{app_name="starlette",method="POST",path="/v2/models/iris/infer",status_code="200"} 1.2e+03
rest_server_requests_total{app_name="starlette",method="POST",path="/v2/models/iris/infer",status_code="422"} 7.0
rest_server_requests_created{path="/v2/models/iris/infer"} 1.7e+09
go_gc_duration_seconds NaN
not a sample at all
broken_value{a="b"} twelve
"""


@pytest.fixture
def metrics_url() -> Iterator[str]:
    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            may_read = self.path != "/closed" or self.headers.get("Authorization") == "Bearer secret"
            offered = self.path in ("/metrics", "/closed")
            self.send_response((200 if may_read else 401) if offered else 404)
            self.end_headers()
            self.wfile.write(MLSERVER.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            pass

    with HTTPServer(("127.0.0.1", 0), Metrics) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_metrics_are_read_as_the_reference_client_writes_them() -> None:
    registry = CollectorRegistry()
    counter = Counter("http_requests", "Requests.", ("path",), registry=registry)
    counter.labels('/a "quoted" \\ path\n').inc(3)

    samples = parse_metrics(generate_latest(registry).decode())

    assert [each.value for each in samples if each.name == "http_requests_total"] == [3.0]


def test_the_growth_of_the_counter_of_our_paths_is_the_servers_count() -> None:
    after = parse_metrics(MLSERVER)
    before = [MetricSample("rest_server_requests_total", {"path": "/v2/models/iris/infer"}, 200.0)]

    found = account(before, after, {"/v2/models/iris/infer"}, 1007)

    assert found.counted == CountCheck("rest_server_requests_total", 1007, 1007)


@pytest.mark.parametrize(
    ("label", "path", "counts"),
    [
        ("/v2/models/{model_name}/infer", "/v2/models/iris/infer", True),
        ("/v2/models/:name/infer", "/v2/models/iris/infer", True),
        ("/v2/models/<name>/infer", "/v2/models/iris/infer", True),
        ("/v2/models/{model_name}/ready", "/v2/models/iris/infer", False),
        ("/v2/models/{model_name}", "/v2/models/iris/infer", False),
        ("/predict", "/predict?explain=1", True),
        ("/predict.", "/predictX", False),
        ("none", "/misspelt", True),
    ],
)
def test_a_label_names_a_path_or_its_template(label: str, path: str, counts: bool) -> None:
    counter = [MetricSample("http_requests_total", {"path": label}, 5.0)]

    assert (account([], counter, {path}, 5).counted is not None) is counts


def test_mean_durations_are_those_of_the_run_alone() -> None:
    def reading(count: float, total_s: float) -> list[MetricSample]:
        labels = {"path": "/predict"}
        name = "http_request_duration_seconds"
        return [MetricSample(f"{name}_count", labels, count), MetricSample(f"{name}_sum", labels, total_s)]

    found = account(reading(10, 5.0), reading(30, 5.4), {"/predict"}, 20)

    assert found.durations == {"http_request_duration_seconds": pytest.approx(0.02)}
    assert account(reading(10, 5.0), reading(10, 5.0), {"/predict"}, 0).durations == {}


def test_a_counter_that_did_not_exist_before_the_run_began_at_zero() -> None:
    found = account([], parse_metrics("http_requests_total 12"), {"/predict"}, 10)

    assert found.counted == CountCheck("http_requests_total", 12, 10)


def test_a_counter_of_other_paths_only_says_nothing() -> None:
    assert account([], parse_metrics('http_requests_total{handler="/health"} 12'), {"/predict"}, 0).counted is None


def test_a_server_without_a_known_counter_is_not_judged() -> None:
    assert account([], parse_metrics("process_cpu_seconds_total 1"), {"/predict"}, 5).counted is None


def test_metrics_are_fetched(metrics_url: str) -> None:
    assert read_metrics(f"{metrics_url}/metrics") == parse_metrics(MLSERVER)


def test_metrics_are_fetched_with_the_token_from_a_server_that_asks_for_it(metrics_url: str) -> None:
    assert read_metrics(f"{metrics_url}/closed", "secret") == parse_metrics(MLSERVER)


@pytest.mark.parametrize("token", [None, "wrong"])
def test_metrics_that_are_kept_from_us_are_told_apart_from_missing_ones(metrics_url: str, token: str | None) -> None:
    with pytest.raises(MetricsRefusedError):
        read_metrics(f"{metrics_url}/closed", token)


def test_metrics_that_are_not_offered_are_none(metrics_url: str) -> None:
    assert read_metrics(f"{metrics_url}/elsewhere") is None
    assert read_metrics("http://127.0.0.1:1/metrics") is None
    assert read_metrics("no url at all") is None


def test_a_counter_that_fell_says_nothing_but_that_it_fell() -> None:
    def reading(count: float) -> list[MetricSample]:
        names = ("http_requests_total", "http_request_duration_seconds_count", "http_request_duration_seconds_sum")
        return [MetricSample(name, {"path": "/predict"}, count) for name in names]

    for after in (reading(120), []):
        found = account(reading(5000), after, {"/predict"}, 591)
        assert (found.counted, found.durations) == (None, {})
        (warning,) = found.warnings
        assert "fell during the run" in warning.message
    assert account(reading(100), reading(120), {"/predict"}, 20).warnings == ()


def test_an_exemplar_is_not_taken_for_the_value() -> None:
    line = 'http_requests_total{path="/a}{b",code="200"} 17 1700000000 # {trace_id="abc"} 0.67 1700000000'

    (sample,) = parse_metrics(line)

    assert sample == MetricSample("http_requests_total", {"path": "/a}{b", "code": "200"}, 17.0)
    assert parse_metrics('http_requests_total 17 # {trace_id="abc"} 0.67')[0].value == 17.0


@pytest.mark.parametrize(("grown", "counted"), [(591, 590), (590, 590), (595, 595)])
def test_our_own_reading_of_the_metrics_is_not_counted(grown: int, counted: int) -> None:
    before, after = ([MetricSample("http_requests_total", {"code": "200"}, value)] for value in (10.0, 10.0 + grown))

    assert account(before, after, {"/predict"}, 590).counted == CountCheck("http_requests_total", counted, 590)


def test_a_counter_that_tells_paths_apart_does_not_hold_our_readings() -> None:
    before, after = ([MetricSample("http_requests_total", {"path": "/a"}, value)] for value in (10.0, 601.0))

    assert account(before, after, {"/a"}, 590).counted == CountCheck("http_requests_total", 591, 590)
