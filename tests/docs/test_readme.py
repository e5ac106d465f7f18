"""The README does what it says: every command in it is run, and prints lines like those it shows.

A block marked `console` holds commands after `$ ` and what they print. A command that ends in `&` goes on in the
background until the block ends. Figures and bars may differ; words may not. `...` stands for any lines.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "8000"


@dataclass
class Command:
    """One command of a block, with what the README says it prints."""

    line: str
    printed: list[str] = field(default_factory=list)


def blocks() -> Iterator[list[Command]]:
    for block in BLOCK.findall(README):
        commands: list[Command] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append(Command(line[2:]))
            elif commands[-1].line.endswith("\\"):
                commands[-1].line = commands[-1].line[:-1] + line.strip()
            else:
                commands[-1].printed.append(line)
        yield commands


BLOCKS = list(blocks())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a user of the README has it: the checkout's samples and scenarios, and nothing else."""
    for name in ("sample_payloads", "loadtests"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("commands", BLOCKS, ids=[block[-1].line[:60] for block in BLOCKS])
def test_a_block_prints_what_the_readme_shows(commands: list[Command], folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # As wide as in a pipe, which is what the README shows.
        "COLUMNS": "100",
        "API_PORT": port,
    }
    running: list[subprocess.Popen[str]] = []
    try:
        for command in commands:
            line = command.line.replace(f":{PORT}", f":{port}")
            if line.endswith("&"):
                running.append(start(line.removesuffix("&").strip(), folder, environment, port))
                continue
            done = subprocess.run(
                ["bash", "-c", line],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            assert_printed(command, done.stdout + done.stderr)
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=30)


def start(line: str, folder: Path, environment: dict[str, str], port: str) -> subprocess.Popen[str]:
    """Start a server and wait until somebody answers at its port."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line}" if "=" not in line.split()[0] else f"env {line}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
        except OSError:
            assert process.poll() is None, f"{line} ended with {process.returncode}"
            time.sleep(0.05)
        else:
            return process
    raise AssertionError(f"nobody answers at {port} after: {line}")


def assert_printed(command: Command, said: str) -> None:
    """Every line that the README shows has the words of a line that was printed, in the same order."""
    actual = [words(line) for line in said.splitlines()]
    for shown in command.printed:
        wanted = words(shown)
        if shown.startswith("exit "):
            assert shown in said.splitlines(), f"{command.line} does not print: {shown}\n{said}"
        elif wanted and shown.strip() != "...":
            assert any(is_within(wanted, line) for line in actual), f"{command.line} does not print: {shown}\n{said}"


UNITS = {"ns", "us", "ms", "s", "m", "B", "KiB", "MiB", "GiB"}


def words(line: str) -> list[str]:
    """Return what a line says without its figures, units, bars, and the version of the model's code."""
    found = re.findall(r"[A-Za-z_][A-Za-z_./:-]*", re.sub(r'"[0-9a-f]{12}"', "", line))
    return [word for word in found if word not in UNITS]


def is_within(wanted: list[str], line: list[str]) -> bool:
    """The wanted words appear in the line in this order."""
    rest = iter(line)
    return all(word in rest for word in wanted)


def test_the_readme_shows_commands():
    assert len(BLOCKS) >= 5


def test_every_target_of_the_makefile_that_the_readme_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert named
    assert named <= targets
