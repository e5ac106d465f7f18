"""What a pipeline sees: the exit code of a process, and nothing on stdout that is not asked for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
SERVER = Path(__file__).parents[1] / "engine" / "server.py"


MODELS = """
import pathlib, time

def model(payload):
    return [1]

def slow(payload):
    time.sleep(0.02)
    pathlib.Path("called").touch()
    return [1]

def raising(payload):
    raise RuntimeError("broken")

def leaving(payload):
    raise SystemExit(1)

def ending(payload):
    raise GeneratorExit
"""

IDLE = """
import gevent
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def wait(self):
        gevent.sleep(0.1)
"""


GOOD = ("--slo", "p50 < 10s")
BAD = ("--slo", "max < 1ns")
FEW = ("--slo", "p99 < 10s")
DEAD = "http://127.0.0.1:9"
PACED = ("--payloads", "row.json", "--warm-up", "none", "--path", "/sleep?s=0.05")
"""Ten users who wait that long for each answer leave the generator idle, however busy the machine is."""


@pytest.fixture
def folder(tmp_path: Path, busy_scenario: str) -> Path:
    """Fill the folder that perfcli runs in with models that need no library, a payload, and two scenarios."""
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "row.json").write_text('{"a": 1}')
    (tmp_path / "idle.py").write_text(IDLE)
    return tmp_path


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    """Serve answers that cost next to nothing, from a process of its own."""
    with subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


def answered(server_url: str) -> int:
    with urlopen(f"{server_url}/count", timeout=10) as answer:
        return sum(json.load(answer)["served"].values())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder in which the engine is calibrated once for all of these tests."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (GOOD, 0),
        ((*GOOD, *BAD), 1),
        (FEW, 4),
        ((*FEW, "--allow-few"), 0),
        ((*FEW, *BAD), 1),
        (("--slo", "p99 << 10s"), 2),
        (("--slo", "p99 < 10"), 2),
        (("--slo", "p99 < NaNs"), 2),
        (("--slo", "p99 < -1s"), 2),
        (("--slo", "p98765 < 1s"), 2),
        (("--slo", "throughput > 1/s"), 2),
        ((*BAD, "--slo", "p99 <"), 2),
    ],
)
def test_profile_ends_with_what_its_slos_say(perfcli: Run, folder: Path, arguments: tuple[str, ...], code: int) -> None:
    done = perfcli("profile", "row.json", "--model", "models:model", "--runs", "20", *arguments, PYTHONPATH=".")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert (done.stdout == "") is (code == 2)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-t", "1s", *GOOD, "--slo", "error_rate == 0%"), 0),
        (("-t", "1s", *GOOD, *BAD), 1),
        (("--requests", "10", *FEW), 4),
        (("--requests", "10", *FEW, "--allow-few"), 0),
        (("-t", "60s", "--slo", "p99 < 1us abort"), 1),
        (("-t", "60s", "--slo", "error_rate < 1% abort", "--path", "/half-503?s=0.05"), 1),
        (("--requests", "10", "--path", "/status?code=500", *GOOD), 1),
        (("--requests", "10", "--path", "/status?code=500", "--slo", "error_rate < 1%"), 1),
        (("--requests", "10", "--slo", "/nowhere: p50 < 10s"), 1),
        (("--rate", "100", "-t", "1s", "--timeout", "2s", "--scenario", "busy.py", *GOOD), 4),
        (("-t", "1s", "--scenario", "idle.py", *GOOD), 3),
        (("-t", "1s", "--scenario", "idle.py", *BAD), 3),
        (("--slo", "p50 < 10"), 2),
        (("--slo", "dropped < 1%"), 2),
        (("--slo", "late == 0", *BAD), 2),
    ],
)
def test_load_ends_with_what_its_slos_say(
    perfcli: Run, folder: Path, server_url: str, cache: str, arguments: tuple[str, ...], code: int
) -> None:
    done = perfcli("load", "--host", server_url, *PACED, *arguments, PERFCLI_CACHE_DIR=cache)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_failures_that_gate_nothing_are_pointed_to(perfcli: Run, folder: Path, server_url: str, cache: str) -> None:
    half = ("load", "--host", server_url, *PACED, "--path", "/half-503?s=0.05", "-u", "2", "--requests", "20")
    done = perfcli(*half, *GOOD, "-o", "half.json", PERFCLI_CACHE_DIR=cache)
    assert done.returncode == 0, done.stderr
    assert "Gate it with --slo 'error_rate < 1%'." in " ".join(done.stdout.split())
    again = perfcli("report", "half.json", "--slo", "error_rate < 1%")
    assert again.returncode == 1
    assert "Gate it with" not in again.stdout
    assert "Gate it with" in " ".join(perfcli("report", "half.json").stdout.split())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("profile", "row.json", "--url", f"{DEAD}/predict"), 3),
        (("load", "--host", DEAD), 3),
        (("capacity", "--host", DEAD), 3),
        (("profile", "row.json", "--url", "http:///predict"), 2),
        (("load", "--host", "http://"), 2),
        (("capacity", "--host", "nowhere"), 2),
        (("load", "--host", "http://nobody.localhost:9", "--yes"), 3),
    ],
)
def test_service_that_is_not_there_is_no_failed_slo(
    perfcli: Run, folder: Path, arguments: tuple[str, ...], code: int
) -> None:
    done = perfcli(*arguments, *BAD)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize("command", ["profile", "compare", "sweep"])
@pytest.mark.parametrize(("model", "code"), [("raising", 3), ("leaving", 3), ("ending", 70)])
def test_model_that_breaks_never_ends_as_a_failed_slo_does(
    perfcli: Run, folder: Path, command: str, model: str, code: int
) -> None:
    arguments = {
        "profile": ("--model", f"models:{model}", *BAD),
        "compare": ("--base", "models:model", "--new", f"models:{model}"),
        "sweep": ("--model", f"models:{model}"),
    }
    done = perfcli(command, "row.json", *arguments[command], "--max-time", "1s", PYTHONPATH=".")
    assert (done.returncode, done.stdout) == (code, "")


def test_result_that_stdout_does_not_take_is_a_failed_delivery(perfcli: Run, folder: Path) -> None:
    command = [sys.executable, "-m", "perfcli", "profile", "row.json", "--model", "models:model", "--runs", "5", *BAD]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
            env={**os.environ, "PYTHONPATH": "."},
        )  # fmt: skip
    assert done.returncode == 5
    assert done.stderr.startswith("Error: Measured, but stdout cannot be written: No space left on device.")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["profile", "load"])
def test_interrupted_run_is_no_verdict_and_keeps_its_record(
    folder: Path, server_url: str, cache: str, command: str, number: int, code: int
) -> None:
    arguments = {
        "profile": ("row.json", "--model", "models:slow", "--runs", "100000", "--max-time", "60s"),
        "load": ("--host", server_url, *PACED, "-t", "60s"),
    }
    before = answered(server_url)
    process = subprocess.Popen(
        [sys.executable, "-m", "perfcli", command, *arguments[command], *BAD, "-o", "run.json"],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ".", "PERFCLI_CACHE_DIR": cache},
    )  # fmt: skip
    with process:
        while not (folder / "called").exists() and answered(server_url) < before + 20:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(60) == code
    record = json.loads((folder / "run.json").read_text())
    assert record["partial"] is True
    assert [verdict["outcome"] for verdict in record["verdicts"]] == ["fail"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("load",), "It would get 10 users, each as fast as it is answered, for 10.0 s."),
        (("capacity", *GOOD), "It would get up to 30 runs of about 15.0 s each: 50.0/s, and twice as much again and "),
    ],
)
def test_question_that_is_interrupted_is_no_failed_slo(
    start_process: Callable[..., subprocess.Popen[str]],
    folder: Path,
    arguments: tuple[str, ...],
    asked: str,
    number: int,
    code: int,
) -> None:
    terminal, stdin = os.openpty()
    command = [sys.executable, "-m", "perfcli", *arguments, "--host", "http://192.0.2.1"]
    try:
        process = start_process(command, cwd=folder, stdin=stdin, stderr=subprocess.PIPE)
        assert process.stderr is not None
        told, question = process.stderr.readline(), process.stderr.read(len("Go on?"))
        process.send_signal(number)
        assert process.wait(60) == code
        assert asked in told
        assert question == "Go on?"
    finally:
        os.close(terminal)
        os.close(stdin)


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_question_that_is_not_agreed_to_loads_nothing(
    start_process: Callable[..., subprocess.Popen[str]], folder: Path, answer: str
) -> None:
    terminal, stdin = os.openpty()
    command = [sys.executable, "-m", "perfcli", "load", "--host", "http://192.0.2.1"]
    try:
        process = start_process(command, cwd=folder, stdin=stdin, stderr=subprocess.PIPE)
        os.write(terminal, answer.encode())
        _, told = process.communicate(timeout=60)
    finally:
        os.close(terminal)
        os.close(stdin)
    assert process.returncode == 2
    assert "Error: Nobody agreed to loading http://192.0.2.1/predict." in told


def test_configured_slo_is_judged_and_told_to_github(perfcli: Run, folder: Path) -> None:
    (folder / "perfcli.toml").write_text('[profile]\nslo = ["max < 1ns"]')
    done = perfcli(
        "profile", "row.json", "--model", "models:model", "--runs", "20", "--json",
        PYTHONPATH=".", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(folder / "summary.md"),
    )  # fmt: skip
    assert done.returncode == 1
    assert [verdict["outcome"] for verdict in json.loads(done.stdout)["verdicts"]] == ["fail"]
    assert "::error title=perfcli::max < 1ns: fail, max is " in done.stderr
    assert "### SLOs: 0 of 1 pass" in (folder / "summary.md").read_text()


def test_record_is_written_before_it_is_judged_and_can_be_judged_again(perfcli: Run, folder: Path) -> None:
    run = ("profile", "row.json", "--model", "models:model", "--runs", "20", "-o", "run.json")
    assert perfcli(*run, *BAD, PYTHONPATH=".").returncode == 1
    assert json.loads((folder / "run.json").read_text())["verdicts"][0]["slo"] == "max < 1ns"
    assert perfcli("report", "run.json").returncode == 1
    assert perfcli("report", "run.json", "--slo", "max < 10s", "-o", "results.xml").returncode == 0
    assert 'tests="1" failures="0"' in (folder / "results.xml").read_text()
