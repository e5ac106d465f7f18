"""The API in a process of its own: there when the block begins, gone when it ends, and clear about why it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from perfcli.api.process import running_api
from perfcli.errors import MeasurementError

_ORPHAN = """
import sys, time
from perfcli.api.process import running_api
with running_api() as api:
    print(api.pid, api.base_url, flush=True)
    time.sleep(600)
"""


def _is_alive(pid: int) -> bool:
    try:
        # A zombie still has a number; it has no memory.
        return bool(Path(f"/proc/{pid}/statm").read_text().split()[0] != "0")
    except FileNotFoundError:
        return False


def test_it_answers_inside_the_block_and_is_gone_after_it() -> None:
    with running_api() as api:
        assert urlopen(f"{api.base_url}/health").status == 200
        assert _is_alive(api.pid)
    assert not _is_alive(api.pid)
    with pytest.raises(URLError):
        urlopen(f"{api.base_url}/health")


def test_it_is_gone_after_an_error_in_the_block() -> None:
    with pytest.raises(KeyError), running_api() as api:
        raise KeyError
    assert not _is_alive(api.pid)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks the process up in /proc")
def test_it_stops_when_the_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _ORPHAN], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline().split()[0])
    assert _is_alive(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    deadline_s = time.monotonic() + 60
    while _is_alive(pid):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_model_that_does_not_load_is_an_error_with_the_reason() -> None:
    with (
        pytest.raises(MeasurementError, match=r"There is no file 'nowhere\.joblib'"),
        running_api({"MODEL_PATH": "nowhere.joblib"}),
    ):
        pass
