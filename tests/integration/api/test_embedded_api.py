"""The embedded API over a real socket: what it answers, to whom, and what it writes down."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from perfcli.bundled import bundled_path
from perfcli.patient_model import patient_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Server

MALIGNANT = json.loads(bundled_path("sample_payloads/malignant.json").read_text())
BENIGN = json.loads(bundled_path("sample_payloads/benign.json").read_text())
BATCH = json.loads(bundled_path("sample_payloads/batch.json").read_text())


def test_one_patient_gets_the_prediction_of_the_model(api: Server) -> None:
    for patient, diagnosis in ((MALIGNANT, 1), (BENIGN, 0)):
        assert api.request("POST", "/predict", patient).json() == {
            "predictions": [diagnosis],
            "model": "perfcli.patient_model:patient_model",
            "model_version": patient_model.model_version,
        }


def test_a_batch_gets_one_answer_for_each_patient_in_order(api: Server) -> None:
    assert api.request("POST", "/predict", BATCH).json()["predictions"] == patient_model.predict(BATCH)
    answer = api.request("POST", "/predict_proba", BATCH).json()
    assert answer["classes"] == [0, 1]
    assert answer["probabilities"] == patient_model.predict_proba(BATCH)


def test_health_and_readiness_need_no_model_run(api: Server) -> None:
    assert api.get("/health").json()["status"] == "ok"
    assert api.get("/ready").json()["status"] == "ready"


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({**MALIGNANT, "mean_radius": "17.99"}, ["body", "patient", "mean_radius"]),
        ({**MALIGNANT, "mean_radius": True}, ["body", "patient", "mean_radius"]),
        ({**MALIGNANT, "mean_radius": None}, ["body", "patient", "mean_radius"]),
        ({**MALIGNANT, "mean_radius": float("nan")}, ["body", "patient", "mean_radius"]),
        ({**MALIGNANT, "mean_radius": float("inf")}, ["body", "patient", "mean_radius"]),
        ({**MALIGNANT, "mean_radius": -1}, ["body", "patient", "mean_radius"]),
        ({**MALIGNANT, "mean_radius": 10**400}, ["body", "patient", "mean_radius"]),
        ({**MALIGNANT, "\ud800": 1}, ["body", "patient"]),
        ({name: value for name, value in MALIGNANT.items() if name != "mean_area"}, ["body", "patient", "mean_area"]),
        ([MALIGNANT, {**BENIGN, "mean_radius": "x"}], ["body", "patients", 1, "mean_radius"]),
        ([], ["body", "patients"]),
        ([MALIGNANT] * 1001, ["body", "patients"]),
        ("text", ["body", "patient"]),
        (None, ["body", "patient"]),
    ],
)
def test_bad_input_is_answered_422_with_the_name_of_the_field(api: Server, body: object, loc: list[object]) -> None:
    answer = api.request("POST", "/predict", json.dumps(body).encode())
    assert answer.status == 422
    assert loc in [problem["loc"] for problem in answer.json()["detail"]]


def test_twenty_problems_are_named_and_the_others_counted(api: Server) -> None:
    problems = api.request("POST", "/predict", {}).json()["detail"]
    assert [problem["type"] for problem in problems[:-1]] == ["missing"] * 20
    count = len(MALIGNANT) - 20
    assert problems[-1] == {"loc": ["body"], "msg": f"And {count} more problems.", "type": "too_many_problems"}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b'{"mean_radius": 1e999}'])
def test_what_is_no_payload_is_the_clients_fault(api: Server, body: bytes) -> None:
    answer = api.request("POST", "/predict", body)
    assert 400 <= answer.status < 500
    assert "detail" in answer.json()


def test_a_body_too_long_is_refused_before_it_is_parsed(api: Server) -> None:
    answer = api.request("POST", "/predict", b" " * (2**20 + 1))
    assert (answer.status, answer.json()) == (413, {"detail": "The body is longer than 1048576 bytes."})


def test_errors_of_the_router_are_json_too(api: Server) -> None:
    assert (api.get("/nothing").status, api.get("/nothing").json()) == (404, {"detail": "Not Found"})
    assert (api.get("/predict").status, api.get("/predict").json()) == (405, {"detail": "Method Not Allowed"})


def test_the_id_of_a_request_comes_back_and_finds_its_record(api: Server) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-ID": "find-me.1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert api.request("POST", "/predict", MALIGNANT, headers).headers["x-request-id"] == "find-me.1"
    api.wait_until(lambda: api.get("/logs?request_id=find-me.1").json()["total"] == 1)
    [line] = api.get("/logs?request_id=find-me.1").json()["logs"]
    assert (line["transaction_id"], line["trace.id"]) == ("find-me.1", trace)
    metrics = line["performance_metrics"]
    assert metrics["profiled"] is True
    assert metrics["function_calls"] > 100
    assert metrics["cpu_time_ms"] > 0
    assert metrics["inference_time_ms"] <= metrics["latency_ms"]
    assert 1 <= len(metrics["top_functions"]) <= 5


def test_a_request_without_an_id_gets_one(api: Server) -> None:
    assert re.fullmatch("[0-9a-f]{16}-[0-9]+", api.request("POST", "/predict", MALIGNANT).headers["x-request-id"])


def test_server_timing_shows_the_phases_and_they_fit_into_the_total(api: Server) -> None:
    header = api.request("POST", "/predict", MALIGNANT).headers["server-timing"]
    phases = {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([0-9.]+)", header)}
    assert list(phases) == ["parse", "queue", "features", "model", "total"]
    total_ms = phases.pop("total")
    assert 0 < sum(phases.values()) <= total_ms


def test_logs_are_paged_newest_first_with_the_total(api: Server) -> None:
    for number in range(5):
        api.request("POST", "/predict", MALIGNANT, {"X-Request-ID": f"paged-{number}"})
    api.wait_until(lambda: api.get("/logs?request_id=paged-4").json()["total"] == 1)
    everything = api.get("/logs?limit=1000").json()
    page = api.get("/logs?limit=2&offset=1").json()
    assert (page["limit"], page["offset"], page["total"]) == (2, 1, everything["total"])
    assert page["logs"] == everything["logs"][1:3]
    moments = [line["timestamp"] for line in everything["logs"]]
    assert moments == sorted(moments, reverse=True)
    assert api.get("/logs?level=ERROR").json()["total"] == 0
    assert api.get("/logs?since=2999-01-01").json()["total"] == 0
    assert api.get("/logs?since=1h").json()["total"] == everything["total"]


def test_performance_counts_what_the_logs_hold(api: Server) -> None:
    for number in range(8):
        api.request("POST", "/predict", MALIGNANT, {"X-Request-ID": f"counted-{number}"})
    api.wait_until(lambda: api.get("/logs?request_id=counted-7").json()["total"] == 1)

    def performance() -> dict[str, Any]:
        report: dict[str, Any] = api.get("/performance").json()
        return report

    # A record is in the log before it is counted as delivered.
    api.wait_until(lambda: performance()["delivery"]["sinks"]["memory"]["waiting"] == 0)
    report = performance()
    assert report["predictions"] == api.get("/logs").json()["total"]
    assert report["monitoring"] is True
    assert report["inference_time_ms"]["p50"] > 0
    assert report["inference_time_ms"]["p99"] is None
    assert report["samples_needed"]["p99"] == 459
    assert report["unknown"] is None
    assert report["delivery"]["sinks"]["memory"]["delivered"] == report["predictions"]
    assert report["monitor"]


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (
            {"LOG_LEVEL": "WARNING"},
            "LOG_LEVEL=WARNING keeps predictions that did not fail, which are INFO, out of the log.",
        ),
        ({"ENABLE_PERFORMANCE_MONITORING": "false"}, "The monitoring is off."),
    ],
)
def test_performance_does_not_count_what_is_not_logged(
    start_api: Callable[..., Server], environment: dict[str, str], reason: str
) -> None:
    api = start_api(**environment)
    api.request("POST", "/predict", MALIGNANT)
    report = api.get("/performance").json()
    counts = ("predictions", "errors", "profiled", "not_profiled", "throughput_rps")
    assert [report[name] for name in counts] == [None] * 5
    assert report["unknown"] == reason
    assert report["monitor"]["predictions"] == (1 if "LOG_LEVEL" in environment else 0)


def test_prometheus_output_parses_and_counts_every_prediction(api: Server) -> None:
    def predictions() -> float:
        families = text_string_to_metric_families(api.get("/metrics").body.decode())
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == "perfcli_http_requests_total"
            and sample.labels == {"method": "POST", "route": "/predict", "status": "200"}
        )

    before = predictions()
    for _ in range(3):
        api.request("POST", "/predict", MALIGNANT)
    assert predictions() - before == 3


def test_every_line_of_stdout_is_one_json_object(api: Server) -> None:
    api.request("POST", "/predict", MALIGNANT, {"X-Request-ID": "on-stdout"})
    api.wait_until(lambda: bool(api.log_of("on-stdout")))
    assert {"timestamp", "level", "logger", "transaction_id", "performance_metrics"} <= api.log()[-1].keys()


def test_monitoring_off_logs_nothing_and_adds_no_header(start_api: Callable[..., Server]) -> None:
    api = start_api(ENABLE_PERFORMANCE_MONITORING="false")
    answer = api.request("POST", "/predict", MALIGNANT, {"X-Request-ID": "unseen"})
    assert (answer.status, answer.json()["predictions"]) == (200, [1])
    assert "server-timing" not in answer.headers
    assert api.stop() == -15
    assert api.log() == []


def test_with_a_token_the_numbers_are_for_those_who_have_it(start_api: Callable[..., Server]) -> None:
    api = start_api(API_TOKEN="top-secret", LOG_LEVEL="DEBUG")
    for path in ("/logs", "/performance", "/metrics"):
        refused = api.get(path)
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert api.get(path, Authorization="Bearer wrong").status == 401
        assert api.get(path, Authorization="Basic top-secret").status == 401
        assert api.get(path, Authorization="Bearer top-secret").status == 200
    patient = {**MALIGNANT, "mean_radius": 17.987654321}
    assert api.request("POST", "/predict", patient, {"Authorization": "Bearer top-secret"}).status == 200
    assert api.request("POST", "/predict", {**patient, "mean_area": "text-987654321"}).status == 422
    api.wait_until(lambda: len(api.log()) == 1)
    assert api.stop() == -15
    written = api.log_file.read_text() + api.log_file.with_name("stderr").read_text()
    assert "top-secret" not in written
    assert "987654321" not in written


def test_inputs_are_logged_when_asked_for_and_redacted(start_api: Callable[..., Server]) -> None:
    api = start_api(LOG_PAYLOADS="true", LOG_REDACT="mean_radius")
    api.request("POST", "/predict", [MALIGNANT], {"X-Request-ID": "with-input"})
    api.wait_until(lambda: len(api.log_of("with-input")) == 2)
    [payload] = [line["payload"] for line in api.log_of("with-input") if "payload" in line]
    assert payload == [{**MALIGNANT, "mean_radius": "***"}]


def test_inputs_are_logged_with_the_id_of_their_request_also_while_the_monitoring_is_off(
    start_api: Callable[..., Server],
) -> None:
    api = start_api(ENABLE_PERFORMANCE_MONITORING="false", LOG_PAYLOADS="true")
    given = api.request("POST", "/predict", MALIGNANT, {"X-Request-ID": "given"})
    made = api.request("POST", "/predict", {})
    made_id = made.headers["x-request-id"]
    assert (given.headers["x-request-id"], made.status) == ("given", 422)
    own = api.request("POST", "/predict_proba", MALIGNANT).headers["x-request-id"]
    assert len({"given", made_id, own}) == 3
    assert "server-timing" not in given.headers
    assert "x-request-id" not in api.get("/health").headers
    api.stop()
    assert [(line["transaction_id"], line["payload"]) for line in api.log()] == [("given", MALIGNANT), (own, MALIGNANT)]


def test_sigterm_answers_what_was_accepted_and_delivers_its_logs(start_api: Callable[..., Server]) -> None:
    api = start_api()
    body = json.dumps(MALIGNANT).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    clients = [socket.create_connection(("127.0.0.1", api.port), timeout=60) for _ in range(4)]
    for client in clients:
        client.sendall(head.encode() + body[:10])
    api.wait_until(lambda: _in_flight(api) >= 5)
    api.process.terminate()
    for client in clients:
        client.sendall(body[10:])
    assert [client.recv(12) for client in clients] == [b"HTTP/1.1 200"] * 4
    for client in clients:
        client.close()
    api.process.communicate(timeout=60)
    assert api.process.returncode == -15
    assert len(api.log()) == 4


def _in_flight(api: Server) -> float:
    for family in text_string_to_metric_families(api.get("/metrics").body.decode()):
        for sample in family.samples:
            if sample.name == "perfcli_http_requests_in_flight":
                return sample.value
    return 0.0


def test_an_overloaded_server_refuses_instead_of_queueing(start_api: Callable[..., Server]) -> None:
    import threading

    api = start_api(API_MAX_IN_FLIGHT="1")
    answers: list[object] = []
    batch = [MALIGNANT] * 1000
    clients = [
        threading.Thread(target=lambda: answers.append(api.request("POST", "/predict", batch))) for _ in range(8)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    statuses = sorted(answer.status for answer in answers)
    assert set(statuses) == {200, 503}
    refused = next(answer for answer in answers if answer.status == 503)
    assert refused.headers["retry-after"] == "1"
    assert "x-request-id" in refused.headers
    assert 'requests_total{method="POST",route="/predict",status="503"}' in api.get("/metrics").body.decode()


def test_half_sent_requests_stop_neither_predictions_nor_the_end_of_the_server(
    start_api: Callable[..., Server],
) -> None:
    api = start_api(API_MAX_IN_FLIGHT="2")
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 873\r\n\r\n{"
    clients = [socket.create_connection(("127.0.0.1", api.port), timeout=60) for _ in range(4)]
    for client in clients:
        client.sendall(head)
    api.wait_until(lambda: _in_flight(api) >= 5)
    assert api.request("POST", "/predict", MALIGNANT).status == 200
    assert api.stop() == -15
    for client in clients:
        assert client.recv(12) == b"HTTP/1.1 408"
        client.close()
    assert api.log_file.with_name("stderr").read_bytes() == b""
