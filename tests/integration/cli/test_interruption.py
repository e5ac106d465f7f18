"""Ctrl-C and SIGTERM at moments in which there is nothing to keep: one line, and the documented exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RECORD = '{"timestamp": "2026-11-22T10:00:00.000000Z", "event.id": "e", "level": "INFO", "message": "started"}\n'
INTERRUPTED_IMPORT = """
import sys
from perfcli.__main__ import main

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "perfcli.cli.app":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_broken_off_says_so_in_one_line(
    start_process: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: int, code: int
) -> None:
    log = tmp_path / "api.log"
    log.write_text(RECORD)
    command = [sys.executable, "-m", "perfcli", "logs", "tail", "-f", "--from", str(log)]
    process = start_process(command, stderr=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout is not None
    assert "started" in process.stdout.readline()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (code, "Interrupted.\n")


def test_an_interruption_while_the_command_line_is_imported_says_so_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("profile", "--help")])
def test_a_reader_that_goes_away_is_no_failed_slo(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "perfcli", *arguments], stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
