"""`perfcli compare` as a process: of records, of two targets in turn, and of revisions."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def records(perfcli: Run, tmp_path: Path) -> Path:
    """Records: a profile, the same with every call twice as long, one of two calls, one of another machine."""
    (tmp_path / "models.py").write_text("def model(payload):\n    return [1]\n")
    (tmp_path / "row.json").write_text('{"a": 1}')
    run = ("profile", "row.json", "--model", "models:model", "--runs", "40", "-o", "base.json")
    assert perfcli(*run, PYTHONPATH=".").returncode == 0
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


@pytest.mark.slow
def test_a_pipeline_is_told_every_five_seconds_that_it_goes_on(perfcli: Run, tmp_path: Path) -> None:
    # Two targets whose durations are all over the place are not known well enough before the time is up.
    (tmp_path / "models.py").write_text(
        "import random, time\ndef noisy(payload):\n    time.sleep(random.expovariate(100))\n    return [1]\n"
    )
    (tmp_path / "row.json").write_text('{"a": 1}')
    done = perfcli(
        "compare", "--base", "models:noisy", "--new", "models:noisy", "row.json", "--max-time", "10s",
        "--fail-if", "never", "--json", PYTHONPATH=".",
    )  # fmt: skip
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"in turn: [1-9][0-9]* turns", lines[0])
    # One line for each five seconds, and the whole takes no minute.
    assert len(lines) <= 12
    assert "\x1b" not in done.stderr
