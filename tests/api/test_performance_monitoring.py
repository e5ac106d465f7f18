"""What the document of the original system promises, kept to the letter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perfcli.api.process import running_api
from perfcli.bundled import bundled_path

ORIGINAL_KEYS = [
    "inference_time_ms",
    "cpu_time_ms",
    "memory_mb",
    "memory_delta_mb",
    "function_calls",
    "latency_ms",
    "top_functions",
]
FUNCTION_KEYS = ["function", "file", "line", "cumulative_time_ms", "total_time_ms", "calls"]

# The document's own lines, with the model and the data that it takes for granted.
LIBRARY_CALLS = """
from perfcli import performance_monitor
from perfcli.patient_model import patient_model as model
import json, sys
data = json.load(open(sys.argv[1]))

with performance_monitor.profile():
    result = model.predict(data)

metrics = performance_monitor.get_metrics()
performance_monitor.log_metrics(metrics)
print(json.dumps(metrics), file=sys.stderr)
"""

# The same for an endpoint.
ENDPOINT_CALLS = """
with performance_monitor.profile():
    prediction = model.predict(data)

metrics = performance_monitor.get_metrics()
if metrics:
    performance_monitor.log_metrics(metrics)
"""

PATIENT = bundled_path("sample_payloads/malignant.json")


def _run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", script, str(PATIENT)],
        env=os.environ | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def _predictions_in_logs(folder: Path, **environment: str) -> list[dict[str, object]]:
    """Ask the API for both kinds of prediction; return what it logged on stdout until it had ended."""
    from urllib.request import Request, urlopen

    log_file = folder / "stdout"
    with log_file.open("wb") as stdout, running_api(environment, stdout=stdout) as api:
        for path in ("/predict", "/predict_proba"):
            request = Request(api.base_url + path, PATIENT.read_bytes(), {"Content-Type": "application/json"})
            with urlopen(request) as answer:
                assert answer.status == 200
    return [json.loads(line) for line in log_file.read_text().splitlines()]


@pytest.mark.parametrize("script", [LIBRARY_CALLS, LIBRARY_CALLS + ENDPOINT_CALLS])
def test_the_library_calls_of_the_document_log_the_record_of_the_document(tmp_path: Path, script: str) -> None:
    done = _run(script, tmp_path, ENABLE_PERFORMANCE_MONITORING="true")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == script.count("profile()")
    assert lines[0]["performance_metrics"] == json.loads(done.stderr)
    metrics = lines[0]["performance_metrics"]
    assert list(metrics)[:7] == ORIGINAL_KEYS
    assert 1 <= len(metrics["top_functions"]) <= 5
    assert [list(function) for function in metrics["top_functions"]] == [FUNCTION_KEYS] * len(metrics["top_functions"])


def test_switched_off_the_library_measures_and_logs_nothing(tmp_path: Path) -> None:
    done = _run(LIBRARY_CALLS + ENDPOINT_CALLS, tmp_path, ENABLE_PERFORMANCE_MONITORING="false")
    assert (done.stdout, done.stderr) == ("", "null\n")


def test_off_is_the_default(tmp_path: Path) -> None:
    done = _run(LIBRARY_CALLS, tmp_path, ENABLE_PERFORMANCE_MONITORING="")
    assert done.stdout == ""


def test_the_switch_is_read_from_a_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ENABLE_PERFORMANCE_MONITORING=true   # Activer le monitoring\n")
    done = _run(LIBRARY_CALLS, tmp_path, ENABLE_PERFORMANCE_MONITORING="")
    assert list(json.loads(done.stdout)["performance_metrics"])[:7] == ORIGINAL_KEYS


def test_each_prediction_of_the_api_logs_one_record(tmp_path: Path) -> None:
    lines = _predictions_in_logs(tmp_path, ENABLE_PERFORMANCE_MONITORING="true", LOGGING_HANDLER="stdout")
    assert len(lines) == 2
    assert len({line["transaction_id"] for line in lines}) == 2
    for line in lines:
        metrics = line["performance_metrics"]
        assert list(metrics)[:7] == ORIGINAL_KEYS
        assert metrics["cpu_time_ms"] > 0
        assert 0 < metrics["inference_time_ms"] <= metrics["latency_ms"]
        assert metrics["memory_mb"] > 10
        assert metrics["function_calls"] > 100


def test_the_api_logs_nothing_when_monitoring_is_off(tmp_path: Path) -> None:
    assert _predictions_in_logs(tmp_path, ENABLE_PERFORMANCE_MONITORING="false") == []


def test_a_log_level_above_info_hides_the_records(tmp_path: Path) -> None:
    assert _predictions_in_logs(tmp_path, ENABLE_PERFORMANCE_MONITORING="true", LOG_LEVEL="WARNING") == []


def test_a_misspelt_switch_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _run(LIBRARY_CALLS, tmp_path, ENABLE_PERFORMANCE_MONITORING="ture")
    assert "ENABLE_PERFORMANCE_MONITORING=ture" in failed.value.stderr
