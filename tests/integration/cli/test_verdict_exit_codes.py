"""What a pipeline sees: the exit code of a process, and nothing on stdout that is not asked for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("slos", "code"),
    [
        (["p50 < 10s"], 0),
        (["p50 < 10s", "max < 1ns"], 1),
        (["p99 < 10s"], 4),
        (["p99 < 10s", "max < 1ns"], 1),
        (["p99 << 10s"], 2),
        (["p99 < 10"], 2),
        (["throughput > 1/s"], 2),
    ],
)
def test_profile_ends_with_what_its_slos_say(perfcli: Run, slos: list[str], code: int) -> None:
    done = perfcli("profile", "--runs", "20", *(part for slo in slos for part in ("--slo", slo)))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_few_samples_can_be_allowed(perfcli: Run) -> None:
    assert perfcli("profile", "--runs", "20", "--slo", "p99 < 10s", "--allow-few").returncode == 0


def test_configured_slo_is_judged_and_told_to_github(perfcli: Run, tmp_path: Path) -> None:
    (tmp_path / "perfcli.toml").write_text('[profile]\nslo = ["max < 1ns"]')
    done = perfcli(
        "profile", "--runs", "20", "--json", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md")
    )
    assert done.returncode == 1
    assert [verdict["outcome"] for verdict in json.loads(done.stdout)["verdicts"]] == ["fail"]
    assert "::error title=perfcli::max < 1ns: fail, max is " in done.stderr
    assert "### SLOs: 0 of 1 pass" in (tmp_path / "summary.md").read_text()


def test_record_is_written_before_it_is_judged_and_can_be_judged_again(perfcli: Run, tmp_path: Path) -> None:
    assert perfcli("profile", "--runs", "20", "--slo", "max < 1ns", "-o", "run.json").returncode == 1
    assert json.loads((tmp_path / "run.json").read_text())["verdicts"][0]["slo"] == "max < 1ns"
    assert perfcli("report", "run.json").returncode == 1
    assert perfcli("report", "run.json", "--slo", "max < 10s", "-o", "results.xml").returncode == 0
    assert 'tests="1" failures="0"' in (tmp_path / "results.xml").read_text()


def test_dead_port_is_no_failed_slo(perfcli: Run) -> None:
    done = perfcli("profile", "-", "--url", "http://127.0.0.1:9/predict", "--slo", "p50 < 1s", stdin="{}")
    assert done.returncode == 3


@pytest.fixture
def records(perfcli: Run, tmp_path: Path) -> Path:
    """Three records: a profile, the same with every call twice as long, and one of two calls."""
    assert perfcli("profile", "--runs", "40", "-o", "base.json").returncode == 0
    base = json.loads((tmp_path / "base.json").read_text())
    base["samples_ms"] = [10 + (number * 7 % 40) / 100 for number in range(200)]
    (tmp_path / "base.json").write_text(json.dumps(base))
    slow = {**base, "samples_ms": [2 * sample for sample in base["samples_ms"]]}
    (tmp_path / "slow.json").write_text(json.dumps(slow))
    (tmp_path / "few.json").write_text(json.dumps({**base, "samples_ms": [10.0, 10.1]}))
    (tmp_path / "other.json").write_text(json.dumps({**base, "environment": {**base["environment"], "cpus": 99}}))
    return tmp_path


def test_comparison_of_records_ends_with_what_it_found(perfcli: Run, records: Path) -> None:
    expected = {
        ("base.json", "base.json"): 0,
        ("base.json", "slow.json"): 1,
        ("slow.json", "base.json"): 0,
        ("slow.json", "base.json", "--fail-if", "faster"): 1,
        ("base.json", "slow.json", "--fail-if", "never"): 0,
        ("base.json", "slow.json", "--min-effect", "200%"): 0,
        ("base.json", "few.json"): 4,
        ("base.json", "other.json"): 2,
        ("base.json", "other.json", "--force"): 0,
        ("base.json",): 2,
        ("base.json", "missing.json"): 2,
        ("base.json", "base.json", "--model", "x"): 2,
    }
    assert {arguments: perfcli("compare", *arguments).returncode for arguments in expected} == expected


def test_comparison_is_a_record_of_its_own(perfcli: Run, records: Path) -> None:
    done = perfcli("compare", "base.json", "slow.json", "--json", "-o", "comparison.json", "-o", "comparison.md")
    document = json.loads(done.stdout)
    assert (document["schema"], document["change"]) == ("perfcli/comparison/1", "slower")
    assert json.loads((records / "comparison.json").read_text()) == document
    assert perfcli("report", "comparison.json").stdout.startswith("Slower by 100.0 %.")


def test_live_targets_are_told_apart_and_the_slow_stage_is_named(perfcli: Run, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(
        "import time\n"
        "def fast(payload):\n    time.sleep(0.002)\n    return [1]\n"
        "def slow(payload):\n    time.sleep(0.004)\n    return [1]\n"
    )
    (tmp_path / "row.json").write_text('{"a": 1}')
    done = perfcli(
        "compare",
        "--base",
        "models:fast",
        "--new",
        "models:slow",
        "row.json",
        "--max-time",
        "3s",
        "--json",
        PYTHONPATH=".",
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["change"]) == (1, "slower")
    assert 1.5 < document["metrics"][0]["ratio"] < 2.5
    assert len(document["turns"]) >= 50


@pytest.mark.slow
def test_revisions_are_measured_in_turn_and_leave_no_worktree(perfcli: Run, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "model.py").write_text("import time\ndef model(payload):\n    time.sleep(0.002)\n    return [1]\n")
    (tmp_path / "row.json").write_text('{"a": 1}')
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "base")
    (tmp_path / "model.py").write_text("import time\ndef model(payload):\n    time.sleep(0.004)\n    return [1]\n")
    done = perfcli("compare", "--base-rev", "main", "--model", "model:model", "row.json", "--max-time", "1s", "--json")
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert (document["change"], len(document["turns"])) == ("slower", 8)
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(worktrees.stdout.splitlines()) == 1
    assert perfcli("compare", "--base-rev", "nothing", "row.json").returncode == 2
