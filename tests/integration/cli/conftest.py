"""The command line as a process, as a user meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BUSY = """
import time
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def predict(self):
        # So much of the generator's own time for each request that no server can be the limit.
        ends = time.thread_time() + 0.02
        while time.thread_time() < ends:
            pass
        self.post(self.payload())
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def perfcli(tmp_path: Path) -> Run:
    """Run perfcli, in an empty folder unless one is named; standard input is closed unless text is given."""

    def run(
        *arguments: str | Path, stdin: str = "", cwd: Path = tmp_path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "perfcli", *map(str, arguments)],
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "COLUMNS": "100", **environment},
            check=False,
        )

    return run


@pytest.fixture
def busy_scenario(tmp_path: Path) -> str:
    """Write a scenario that is its own limit into the folder that perfcli runs in; return its name."""
    (tmp_path / "busy.py").write_text(BUSY)
    return "busy.py"
