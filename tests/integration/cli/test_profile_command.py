"""`perfcli profile` as a process: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import pstats
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import pytest

from perfcli.api.process import running_api
from perfcli.bundled import bundled_path

PATIENT = bundled_path("sample_payloads/malignant.json")
GOLDEN = Path(__file__).parents[2] / "golden"
METRICS = {
    "inference_time_ms": float,
    "cpu_time_ms": float,
    "memory_mb": float,
    "memory_delta_mb": float,
    "function_calls": int,
    "latency_ms": float,
    "top_functions": list,
}
FUNCTION = {
    "function": str,
    "file": str,
    "line": int,
    "cumulative_time_ms": float,
    "total_time_ms": float,
    "calls": int,
}


def assert_shape(value: dict[str, object], shape: dict[str, type]) -> None:
    assert set(value) == set(shape)
    assert {key: type(value[key]) for key in shape} == shape


def test_the_record_has_the_documented_shape(perfcli):
    done = perfcli("profile", PATIENT, "--runs", "100", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["schema"] == "perfcli/profile/1"
    assert set(record) >= {
        "target", "environment", "latency_ms", "cold_start_ms", "cpu_time_ms", "memory_mb", "overhead", "stages",
        "performance_metrics", "warnings", "partial",
    }  # fmt: skip
    assert {"median", "ci_low", "ci_high", "mean", "p95", "p99", "min", "max", "runs"} <= set(record["latency_ms"])
    assert {"thread", "process"} <= set(record["cpu_time_ms"])
    assert {"rss", "delta", "peak"} <= set(record["memory_mb"])
    assert {"ratio", "ns_per_call", "corrected"} <= set(record["overhead"])
    assert record["latency_ms"]["runs"] == 100 == len(record["samples_ms"])
    assert record["latency_ms"]["p99"] is None
    assert record["partial"] is False
    assert_shape(record["performance_metrics"], METRICS)
    assert len(record["performance_metrics"]["top_functions"]) == 5
    for function in record["performance_metrics"]["top_functions"]:
        assert_shape(function, FUNCTION)
    assert [stage["name"] for stage in record["stages"]][:2] == ["to_frame", "engineer_features"]
    covered = sum(stage["share"] for stage in record["stages"][:-1])
    assert covered >= 0.95
    assert sum(stage["share"] for stage in record["stages"]) == pytest.approx(1, abs=1e-5)


def test_tables_and_the_log_line_are_printed(perfcli):
    done = perfcli("profile", PATIENT, "--runs", "20", "--top", "3")
    assert done.returncode == 0, done.stderr
    assert "Functions by self time" in done.stdout
    assert "engineer_features" in done.stdout
    assert list(json.loads(done.stdout.splitlines()[-1])) == ["performance_metrics"]


def test_files_are_written_and_reports_are_made_again_from_the_record(perfcli, tmp_path: Path):
    arguments = ["-o", "run.json", "-o", "run.txt", "-o", "run.md", "--prof", "run.prof"]
    done = perfcli("profile", PATIENT, "--runs", "20", *arguments)
    assert done.returncode == 0, done.stderr
    again = perfcli("report", "run.json", "-o", "again.md", "-o", "again.json")
    assert again.returncode == 0, again.stderr
    assert again.stdout == (tmp_path / "run.txt").read_text() == done.stdout
    assert (tmp_path / "again.md").read_text() == (tmp_path / "run.md").read_text()
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads((tmp_path / "run.json").read_text())
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_prof_file_has_our_totals(perfcli, tmp_path: Path):
    done = perfcli("profile", PATIENT, "--runs", "20", "--prof", "run.prof", "--json")
    record = json.loads(done.stdout)
    stats = pstats.Stats(str(tmp_path / "run.prof"))
    runs = record["overhead"]["profiled_runs"]
    assert stats.total_calls == pytest.approx(sum(f["calls"] for f in record["functions"]) * runs, rel=1e-6)  # type: ignore[attr-defined]
    seen_ms = sum(f["profiled_self_ms"] for f in record["functions"]) * runs
    assert stats.total_tt * 1e3 == pytest.approx(seen_ms, rel=1e-3)  # type: ignore[attr-defined]


def test_a_file_that_cannot_be_written_costs_nothing_but_itself(perfcli, tmp_path: Path):
    (tmp_path / "model.py").write_text(
        "import os\ndef model(payload):\n    os.makedirs('run.md', exist_ok=True)\n    return 1\n"
    )
    arguments = ["--model", "model:model", "--runs", "5", "-o", "run.md", "-o", "run.json"]
    done = perfcli("profile", PATIENT, *arguments)
    assert done.returncode == 5, done.stderr
    assert "run.md" in done.stderr
    assert json.loads((tmp_path / "run.json").read_text())["latency_ms"]["runs"] == 5
    assert "median" in done.stdout


@pytest.mark.parametrize("source", ["csv", "jsonl", "stdin"])
def test_several_payloads_are_taken_in_turn(perfcli, source):
    if source == "stdin":
        text = bundled_path("sample_payloads/patients.jsonl").read_text()
        done = perfcli("profile", "-", "--runs", "20", "--json", stdin=text)
    else:
        done = perfcli("profile", bundled_path(f"sample_payloads/patients.{source}"), "--runs", "20", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["target"]["payloads"] == 100


def test_the_user_s_own_model_files(perfcli, tmp_path: Path):
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from skops.io import dump

    data, labels = load_iris(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=5)).fit(data, labels)
    joblib.dump(model, tmp_path / "model.joblib")
    dump(model, tmp_path / "model.skops")
    (tmp_path / "row.json").write_text(json.dumps(data.iloc[0].to_dict()))
    for name in ("model.joblib", "model.skops"):
        done = perfcli(
            "profile", "row.json", "--model", name, "--trust", "--method", "predict_proba", "--runs", "5", "--json"
        )
        assert done.returncode == 0, done.stderr
        record = json.loads(done.stdout)
        assert record["target"]["method"] == "predict_proba"
        assert {"standardscaler", "randomforestclassifier"} <= {stage["name"] for stage in record["stages"]}


def test_a_remote_api_tells_its_own_functions(perfcli):
    with running_api({"ENABLE_PERFORMANCE_MONITORING": "true"}) as api:
        done = perfcli("profile", PATIENT, "--url", f"{api.base_url}/predict", "--runs", "30", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    phases = {phase["name"]: phase for phase in record["phases"]}
    assert set(phases) >= {"connect", "send", "wait", "receive"}
    assert phases["connect"]["cold_ms"] > 0
    assert phases["wait"]["median_ms"] > 0
    assert record["server"]["records"] > 0
    assert record["server"]["timings_ms"]["total"] > 0
    functions = {function["function"] for function in record["server"]["functions"]}
    assert any(
        "pandas" in function["file"] or "sklearn" in function["file"] for function in record["server"]["functions"]
    ), functions
    assert_shape(record["performance_metrics"], METRICS)
    assert record["performance_metrics"]["inference_time_ms"] <= record["performance_metrics"]["latency_ms"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_reports_what_was_measured(start_process, tmp_path: Path, number, code):
    # Where calls scatter, 200 of them are warm-up; by the 240th some are measured.
    marker = tmp_path / "called"
    (tmp_path / "model.py").write_text(
        "import time\n"
        "calls = 0\n"
        "def model(payload):\n"
        "    global calls\n"
        "    calls += 1\n"
        f"    if calls == 240: open({str(marker)!r}, 'w').close()\n"
        "    time.sleep(0.002)\n"
        "    return 1\n"
    )
    command = [sys.executable, "-m", "perfcli", "profile", str(PATIENT), "--model", "model:model", "--runs", "100000"]
    process = start_process(
        [*command, "--json", "-o", "run.json"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "100"},
    )
    deadline = time.monotonic() + 60
    while not marker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    said, complained = process.communicate(timeout=60)
    assert process.returncode == code, complained
    record = json.loads(said)
    assert record["partial"] is True
    assert record["latency_ms"]["runs"] > 0
    assert json.loads((tmp_path / "run.json").read_text()) == record


def test_what_a_model_prints_is_not_among_the_results(perfcli, tmp_path: Path):
    (tmp_path / "mine.py").write_text("def model(payload):\n    print('hello')\n    return 1\n")
    done = perfcli("profile", PATIENT, "--model", "mine:model", "--runs", "5", "--json")
    assert json.loads(done.stdout)["latency_ms"]["runs"] == 5
    assert "hello" in done.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path):
    command = f"{sys.executable} -m perfcli profile {PATIENT} --runs 5 | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "0", done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy():
    heavy = ["numpy", "pandas", "sklearn", "locust", "gevent", "fastapi", "httpx", "pydantic", "psutil", "orjson"]
    program = (
        "import sys\n"
        "from perfcli.cli.app import make_app\n"
        "try:\n    make_app()(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_printed(perfcli):
    from perfcli import __version__

    done = perfcli("--version")
    assert (done.returncode, done.stdout) == (0, f"perfcli {__version__}\n")


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 5, "Error: Measured, but stdout is closed.\nHint: To see nothing of it, send it to /dev/null.\n"),
        ("2>&-", 0, ""),
        (">&- 2>&-", 5, ""),
        ("<&-", 0, ""),
    ],
)
def test_a_closed_stream_is_no_bug_and_nothing_is_written_in_its_place(
    tmp_path: Path, redirection: str, code: int, said: str
) -> None:
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "perfcli"]
    done = subprocess.run(
        [*shell, "report", str(GOLDEN / "profile.json"), "-o", "again.json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, said)
    assert bool(done.stdout) is (code == 0)
    assert json.loads((tmp_path / "again.json").read_text())["schema"] == "perfcli/profile/1"


def test_an_error_is_not_told_on_stdout_when_stderr_is_closed(tmp_path: Path) -> None:
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", "perfcli"]
    done = subprocess.run(
        [*shell, "report", "nowhere.json"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
