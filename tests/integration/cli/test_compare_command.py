"""`perfcli compare` as a process: of records, of two targets in turn, and of revisions."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
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
        "def fast(payload):\n    time.sleep(0.005)\n    return [1]\n"
        "def slow(payload):\n    time.sleep(0.01)\n    return [1]\n"
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
        "6s",
        "--json",
        PYTHONPATH=".",
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["change"]) == (1, "slower")
    # A busy machine wakes both some milliseconds late. Without a difference it would be 1, the wrong way round a half.
    assert 1.2 < document["metrics"][0]["ratio"] < 2.5
    # A quiet one takes 50 in three seconds; from files, or of revisions, there would be none, or 8.
    assert len(document["turns"]) >= 20


INTERRUPTED = """
import itertools, os, signal, sys

numbers = itertools.count()
interrupted = False

def profiled():
    tool = sys.monitoring.get_tool(sys.monitoring.PROFILER_ID) if sys.version_info >= (3, 12) else None
    return bool(tool or sys.getprofile())

def model(payload):
    global interrupted
    if interrupted:
        raise RuntimeError("called after the interruption")
    if {moment}:
        interrupted = True
        os.kill(os.getpid(), signal.{signal})
    return [1]
"""


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("moment", ["next(numbers) == 400", "profiled()"])
def test_interrupted_comparison_measures_nothing_more_and_says_what_it_has(
    perfcli: Run, tmp_path: Path, moment: str, number: str, code: int
) -> None:
    (tmp_path / "models.py").write_text(INTERRUPTED.format(moment=moment, signal=number))
    (tmp_path / "row.json").write_text('{"a": 1}')
    targets = ("--base", "models:model", "--new", "models:model")
    done = perfcli("compare", *targets, "row.json", "--max-time", "4s", "-o", "found.json")
    assert done.returncode == code, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["partial"], found["moved"]) == (True, [])
    assert "Interrupted: partial result." in done.stdout


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


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a model in its first commit, and a payload."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "model.py").write_text("def model(payload):\n    return [1]\n")
    (folder / "row.json").write_text('{"a": 1}')
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "base"]):
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)
    return folder


def worktrees(repository: Path) -> list[str]:
    done = subprocess.run(
        ["git", "worktree", "list", "--porcelain"], cwd=repository, capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if line.startswith("worktree ")]


@pytest.mark.slow
def test_revisions_are_measured_in_turn_and_leave_no_worktree(perfcli: Run, repository: Path) -> None:
    (repository / "model.py").write_text("import time\ndef model(payload):\n    time.sleep(0.002)\n    return [1]\n")
    run = ("compare", "--base-rev", "main", "--model", "model:model", "row.json")
    done = perfcli(*run, "--max-time", "1s", "--json", cwd=repository)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert (document["change"], len(document["turns"])) == ("slower", 8)
    assert len(worktrees(repository)) == 1
    assert perfcli("compare", "--base-rev", "nothing", "row.json", cwd=repository).returncode == 2


@pytest.mark.slow
def test_slos_of_the_project_are_not_those_of_a_comparison_of_revisions(perfcli: Run, repository: Path) -> None:
    # The first fails, the second needs more calls than a second has time for.
    (repository / "perfcli.toml").write_text('[profile]\nslo = ["median < 1ns", "p99.999 < 1h"]\n')
    (repository / "model.py").write_text("import time\ndef model(payload):\n    time.sleep(0.002)\n    return [1]\n")
    run = ("compare", "--base-rev", "main", "--model", "model:model", "row.json")
    done = perfcli(*run, "--max-time", "1s", "--json", "--fail-if", "never", cwd=repository)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["turns"]) == 8


def test_a_profile_of_a_revision_that_ends_without_a_word_says_with_what(perfcli: Run, repository: Path) -> None:
    (repository / "model.py").write_text("import os\nos._exit(9)\n")
    done = perfcli("compare", "--base-rev", "main", "--model", "model:model", "row.json", cwd=repository)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].endswith("it ended with 9 and said nothing")


WAITING = """
import pathlib, time

def model(payload):
    pathlib.Path("{called}").touch()
    time.sleep(60)
"""


def comparing(repository: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "perfcli", "compare", "--base-rev", "main", "--model", "model:model", "row.json"],
        cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    while not file.exists():
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("moment", ["while git checks out", "while a profile runs"])
def test_interrupted_comparison_of_revisions_leaves_no_worktree_and_no_folder(
    repository: Path, tmp_path: Path, moment: str, number: int, code: int
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    called = tmp_path / "called"
    (repository / "model.py").write_text(WAITING.format(called=called))
    # Git runs it once it has made the worktree, and waits for it.
    hook = repository / ".git" / "hooks" / "post-checkout"
    if moment == "while git checks out":
        hook.write_text(f"#!/bin/sh\ntouch '{called}'\nsleep 1\n")
        hook.chmod(0o755)
    with comparing(repository, TMPDIR=str(temporary)) as process:
        wait_for(called, process)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert len(worktrees(repository)) == 1
    assert list(temporary.iterdir()) == []


INTERRUPTING = """
import os, pathlib, signal

started = pathlib.Path("{started}")
started.write_text(started.read_text() + "." if started.exists() else ".")
if len(started.read_text()) == {last}:
    os.kill(os.getppid(), signal.{signal})
    signal.pause()

def model(payload):
    return [1]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_interrupted_comparison_of_revisions_keeps_the_rounds_it_has(
    perfcli: Run, repository: Path, tmp_path: Path, number: str, code: int
) -> None:
    # In the third profile of the working tree: the revision may have been profiled three times by then.
    source = INTERRUPTING.format(started=tmp_path / "started", last=3, signal=number)
    (repository / "model.py").write_text(source)
    run = ("compare", "--base-rev", "main", "--model", "model:model", "row.json", "-o", "found.json", "--fail-if")
    done = perfcli(*run, "never", cwd=repository)
    assert done.returncode == code, done.stderr
    found = json.loads((repository / "found.json").read_text())
    assert (found["partial"], len(found["turns"])) == (True, 2)
    assert "Interrupted: partial result." in done.stdout
    assert len(worktrees(repository)) == 1


GIT = """#!/bin/sh
case "$2" in remove) touch '{removing}'; sleep 1;; esac
exec '{git}' "$@"
"""


@pytest.mark.slow
def test_second_ctrl_c_while_the_worktree_goes_leaves_none_either(repository: Path, tmp_path: Path) -> None:
    temporary, removing, called = (tmp_path / name for name in ("temporary", "removing", "called"))
    (tmp_path / "bin").mkdir()
    temporary.mkdir()
    slow_git = tmp_path / "bin" / "git"
    slow_git.write_text(GIT.format(removing=removing, git=shutil.which("git")))
    slow_git.chmod(0o755)
    (repository / "model.py").write_text(WAITING.format(called=called))
    path = os.pathsep.join([str(slow_git.parent), os.environ["PATH"]])
    with comparing(repository, TMPDIR=str(temporary), PATH=path) as process:
        for file in (called, removing):
            wait_for(file, process)
            process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert len(worktrees(repository)) == 1
    assert list(temporary.iterdir()) == []
