"""The live view of a load on a terminal that is resized while it runs; left out where there is no tmux."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RECORD = HERE.parents[1] / "golden" / "load.json"
TMUX = shutil.which("tmux")
WAIT_S = 60.0

pytestmark = pytest.mark.skipif(TMUX is None, reason="there is no tmux")


class Terminal:
    """A tmux server of its own with one window in which the view runs."""

    def __init__(self, folder: Path, command: str) -> None:
        self._call = [str(TMUX), "-S", str(folder / "tmux"), "-f", os.devnull]
        self.tmux("-u", "new-session", "-d", "-x", "80", "-y", "24", command)

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run([*self._call, *arguments], capture_output=True, text=True, timeout=30, check=True)
        return done.stdout

    def screen(self) -> list[str]:
        return self.tmux("capture-pane", "-p").split("\n")

    def seconds_pass(self, count: int) -> None:
        self.tmux("send-keys", *["Enter"] * count)

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def shows(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the screen is as expected, and return it."""
        deadline = time.monotonic() + WAIT_S
        while not holds(screen := self.screen()):
            assert time.monotonic() < deadline, "\n".join(screen)
            time.sleep(0.05)
        return screen


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    view = f"{sys.executable} {HERE / 'watched_load.py'} {RECORD}"
    started = Terminal(tmp_path, f"echo before; stty -echo; {view}; exec cat")
    yield started
    started.tmux("kill-server")


def elapsed(text: str) -> Callable[[list[str]], bool]:
    return lambda screen: screen[0].endswith(f"  {text}")


def histogram_rows(screen: list[str]) -> int:
    """Return the number of rows below the title of the histogram."""
    titles = [number for number, line in enumerate(screen) if line.startswith("latency, ")]
    return sum(bool(line) for line in screen[titles[0] + 1 :]) if titles else 0


def test_the_view_follows_the_size_of_its_terminal_and_leaves_it_as_it_was(terminal: Terminal) -> None:
    terminal.shows(elapsed("starting"))
    terminal.seconds_pass(3)
    small = terminal.shows(elapsed("3.00 s"))
    assert small[0].startswith("http://127.0.0.1:8000/predict  60 arrivals per second")
    assert max(map(len, small)) <= 80
    assert small[2].split()[0] == "throughput"
    assert any(line.endswith("reset 3") for line in small)

    terminal.resize(160, 50)
    terminal.seconds_pass(1)
    large = terminal.shows(elapsed("4.00 s"))
    assert histogram_rows(large) > histogram_rows(small) > 3

    terminal.resize(60, 14)
    terminal.seconds_pass(1)
    tiny = terminal.shows(elapsed("5.00 s"))
    # Nothing is left of the larger screens: each line is there once.
    names = [line.split()[0] for line in tiny if line and not line.startswith("http")]
    assert sum(name == "throughput" for name in names) == 1
    assert histogram_rows(tiny) == 0

    terminal.resize(80, 24)
    terminal.seconds_pass(1)
    assert max(map(len, terminal.shows(elapsed("6.00 s")))) <= 80

    terminal.tmux("send-keys", "C-d")
    after = terminal.shows(lambda screen: "the run is over" in screen)
    assert "before" in after
    assert not any("throughput" in line for line in after)
