"""A model server that we did not write: its own counters and clocks agree with what the command reports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

VERSION = "1.7.1"
INFER = "/v2/models/iris/infer"
READY_S = 120
TRAIN = """
import joblib, sys
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
joblib.dump(RandomForestClassifier(n_estimators=20, random_state=0).fit(*load_iris(return_X_y=True)), sys.argv[1])
"""

pytestmark = pytest.mark.slow


@dataclass
class ModelServer:
    """A running MLServer.

    Attributes:
        url: Of its API.
        metrics_url: Of its Prometheus metrics.
    """

    url: str
    metrics_url: str

    def metric(self, name: str) -> float:
        """Add up a metric over all requests for an inference."""
        with urlopen(self.metrics_url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name}{{") and "/infer" in line)


@pytest.fixture(scope="session")
def mlserver_python() -> Path:
    """An environment with MLServer, made once and kept in the user's cache: it is half a gigabyte."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perfcli-tests"
    folder = root / f"mlserver-{VERSION}-py{sys.version_info.major}{sys.version_info.minor}"
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        venv.create(folder, clear=True, with_pip=True)
        packages = [f"mlserver=={VERSION}", f"mlserver-sklearn=={VERSION}"]
        done = subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"MLSERVER IS NOT TESTED: pip cannot install it: {done.stderr.strip().splitlines()[-1:]}")
        complete.touch()
    return python


@pytest.fixture
def model_server(mlserver_python: Path, tmp_path: Path) -> Iterator[ModelServer]:
    """An MLServer with one model."""
    model = tmp_path / "iris"
    model.mkdir()
    subprocess.run([mlserver_python, "-c", TRAIN, model / "model.joblib"], check=True)
    api, grpc, metrics = (_free_port() for _ in range(3))
    settings = {"debug": False, "host": "127.0.0.1", "http_port": api, "grpc_port": grpc, "metrics_port": metrics}
    (tmp_path / "settings.json").write_text(json.dumps({**settings, "parallel_workers": 0}))
    (model / "model-settings.json").write_text(
        json.dumps(
            {
                "name": "iris",
                "implementation": "mlserver_sklearn.SKLearnModel",
                "parameters": {"uri": "./model.joblib", "version": "v1"},
            }
        )
    )
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [mlserver_python.with_name("mlserver"), "start", "."], cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        server = ModelServer(f"http://127.0.0.1:{api}", f"http://127.0.0.1:{metrics}/metrics")
        _wait_until_ready(f"{server.url}/v2/models/iris/ready", process, tmp_path / "log")
        yield server
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    file = tmp_path / "payload.json"
    rows = {"name": "x", "shape": [2, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2, 6.7, 3.0, 5.2, 2.3]}
    file.write_text(json.dumps({"inputs": [rows]}))
    return file


@pytest.mark.parametrize("options", [["-u", "4", "-t", "5s"], ["--rate", "50", "-t", "5s", "--processes", "2"]])
def test_counts_and_clocks_agree_with_the_servers_own(
    model_server: ModelServer, perfcli: Callable[..., Any], payload: Path, options: list[str]
) -> None:
    outcome = perfcli(
        *("load", "--host", model_server.url, "--path", INFER, "--payloads", str(payload), "--check", "status"),
        *("--metrics-url", model_server.metrics_url, "--warm-up", "none", "--json", *options),
    )

    assert outcome.code == 0, outcome.stderr
    total = outcome.record["total"]
    assert total["failures"] == 0
    assert total["requests"] == model_server.metric("rest_server_requests_total") > 50
    counted = outcome.record["server"]["counted"]
    assert counted["server_requests"] == counted["client_requests"] == total["requests"]
    served_s = model_server.metric("rest_server_request_duration_seconds_sum")
    assert total["latency_ms"]["mean"] >= served_s / total["requests"] * 1e3
    told_ms = outcome.record["server"]["timings_ms"]["rest_server_request_duration_seconds"]
    assert told_ms == pytest.approx(served_s / total["requests"] * 1e3, rel=1e-5)
    assert "count_mismatch" not in [warning["code"] for warning in outcome.record["warnings"]]


def test_a_request_it_refuses_is_a_failure_of_its_class(
    model_server: ModelServer, perfcli: Callable[..., Any], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"inputs": "none"}')

    outcome = perfcli(
        *("load", "--host", model_server.url, "--path", INFER, "--payloads", str(bad), "--check", "status"),
        *("-u", "1", "--requests", "20", "--warm-up", "none", "--json"),
    )

    assert [(error["kind"], error["count"]) for error in outcome.record["errors"]] == [("http_4xx", 20)]
    assert "422" in outcome.record["errors"][0]["example"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=10):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"MLServer does not come up: {log.read_text()[-2000:]}")
