"""Every way in which a profile can fail: one line, a hint, the documented exit code, and no traceback."""

from __future__ import annotations

import http.server
import json
import pickle
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcli.bundled import bundled_path

SAMPLES = bundled_path("sample_payloads")
PATIENT = SAMPLES / "malignant.json"


def assert_explained(done, code: int, *parts: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1, done.stderr
    assert any(line.startswith("Hint: ") for line in done.stderr.splitlines()), done.stderr
    for part in parts:
        assert part in said[0], said[0]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("broken.json", "broken.json"),
        ("empty.json", "empty"),
        ("wrong_column.json", "mean_radus"),
        ("nan.json", "nan"),
        ("not_a_number.json", "rough"),
    ],
)
def test_malformed_payloads(perfcli, name, part):
    assert_explained(perfcli("profile", SAMPLES / "malformed" / name), 2, part)


def test_the_nearest_column_is_suggested(perfcli):
    assert "'mean_radius'" in perfcli("profile", SAMPLES / "malformed" / "wrong_column.json").stderr


def test_missing_file(perfcli):
    assert_explained(perfcli("profile", "nowhere.json"), 2, "nowhere.json")


def test_broken_json_on_standard_input(perfcli):
    assert_explained(perfcli("profile", "-", stdin="{"), 2, "standard input")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--model", "no_such_module:model"], "no_such_module"),
        (["--model", "json:dumpz"], "dumpz"),
        (["--model", "nowhere.joblib"], "nowhere.joblib"),
        (["--method", "transmogrify"], "transmogrify"),
        (["--max-time", "soon"], "soon"),
        (["--url", "http://127.0.0.1:9/predict", "--timeout", "never"], "never"),
        (["-o", "report.xyz"], ".xyz"),
        (["-o", "no/such/folder/run.json"], "no/such/folder"),
        (["--url", "http://127.0.0.1:9/predict", "--model", "json:dumps"], "--model"),
        (["--url", "ftp://example/predict"], "ftp"),
        (["--url", "http://127.0.0.1:9/predict", "--header", "nonsense"], "header"),
        (["--url", "http://127.0.0.1:9/predict", "--header", "Authorization: env:NO_SUCH_TOKEN"], "NO_SUCH_TOKEN"),
    ],
)
def test_usage(perfcli, arguments, part):
    done = perfcli("profile", PATIENT, *arguments)
    assert done.returncode in (2, 3)
    assert_explained(done, done.returncode, part)


def test_unknown_option_is_a_usage_error(perfcli):
    assert perfcli("profile", "--no-such-option").returncode == 2


def test_a_pickle_is_not_loaded_without_trust(perfcli, tmp_path: Path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    done = perfcli("profile", PATIENT, "--model", "model.pkl")
    assert_explained(done, 2, "model.pkl")
    assert "--trust" in done.stderr


def test_a_file_of_garbage_is_no_model(perfcli, tmp_path: Path):
    (tmp_path / "model.joblib").write_bytes(b"\x00garbage" * 20)
    assert_explained(perfcli("profile", PATIENT, "--model", "model.joblib", "--trust"), 3, "model.joblib")


def test_a_model_that_raises(perfcli, tmp_path: Path):
    (tmp_path / "mine.py").write_text("def model(payload):\n    raise KeyError('mean [radius]')\n")
    assert_explained(perfcli("profile", PATIENT, "--model", "mine:model"), 3, "KeyError", "mean [radius]")


asked: Counter[str] = Counter()


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/slow":
            time.sleep(5.0)
        body = {"/html": b"<html>", "/500": b'{"detail": "the model is away"}'}.get(self.path, b"[1]")
        asked[self.path] += 1
        fails = self.path in ("/500", f"/fail/{asked[self.path]}")
        self.send_response(500 if fails else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_error(self, *_: object) -> None:
        """Clients that give up are what is tested."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        asked.clear()


def test_a_dead_port(perfcli, unused_port):
    done = perfcli("profile", PATIENT, "--url", f"http://127.0.0.1:{unused_port}/predict")
    assert_explained(done, 3, str(unused_port), "refused")
    assert "perfcli serve" in done.stderr


@pytest.mark.parametrize(("path", "part"), [("/500", "500"), ("/html", "JSON")])
def test_a_bad_answer(perfcli, server, path, part):
    assert_explained(perfcli("profile", PATIENT, "--url", server + path), 3, part)


@pytest.mark.parametrize("number", [40, 100])
def test_a_bad_answer_after_good_ones_ends_the_run_and_loses_none_of_them(perfcli, server, tmp_path: Path, number: int):
    # The first call and five of warm-up at least, profiled ones among 60 counted ones, and then those of the passes.
    run = ("profile", PATIENT, "--url", f"{server}/fail/{number}", "--runs", "60", "-o", "run.json")
    done = perfcli(*run, "--slo", "median < 1h")
    assert done.returncode == 3, done.stderr
    assert "Error: " in done.stderr
    assert "answered 500" in done.stderr
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["partial"]
    assert 0 < len(record["samples_ms"]) <= min(number, 60)
    assert [warning["code"] for warning in record["warnings"]].count("call_failed") == 1
    assert "A call failed, and ended the run: " in done.stdout
    # Nothing was counted before the second call.
    none = perfcli("profile", PATIENT, "--url", f"{server}/fail/2", "-o", "none.json")
    assert_explained(none, 3, "500")
    assert not (tmp_path / "none.json").exists()


def test_a_time_out(perfcli, server):
    done = perfcli("profile", PATIENT, "--url", f"{server}/slow", "--timeout", "200ms")
    assert_explained(done, 3, "200 ms")
    assert "--timeout" in done.stderr


def test_a_report_that_cannot_be_read(perfcli, tmp_path: Path):
    (tmp_path / "run.json").write_text(json.dumps({"schema": "perfcli/unheard-of/1"}))
    assert_explained(perfcli("report", "run.json"), 2, "unheard-of")
