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

from perfcli.reporters.load_screen import MOST_HISTOGRAM

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

    def shows(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the screen is as expected, and return it."""
        deadline = time.monotonic() + WAIT_S
        while not holds(screen := self.screen()):
            assert time.monotonic() < deadline, "\n".join(screen)
            time.sleep(0.05)
        return screen

    def resize(self, columns: int, rows: int, holds: Callable[[list[str]], bool]) -> list[str]:
        """Change the size, and let seconds pass until the view follows; tmux tells the size a moment later."""
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

        def followed(screen: list[str]) -> bool:
            self.seconds_pass(1)
            return holds(screen)

        return self.shows(followed)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    # Rich takes these for the size of a terminal, and some runners of tests set them.
    view = f"env -u COLUMNS -u LINES {sys.executable} {HERE / 'watched_load.py'} {RECORD}"
    started = Terminal(tmp_path, f"echo before; stty -echo; {view}; exec cat")
    yield started
    started.tmux("kill-server")


def elapsed(text: str) -> Callable[[list[str]], bool]:
    return lambda screen: screen[0].endswith(f"  {text}")


def histogram_rows(screen: list[str]) -> int:
    """Return the number of rows between the title of the histogram and the durations below it."""
    titles = [number for number, line in enumerate(screen) if line.startswith("latency, ")]
    ends = [number for number, line in enumerate(screen) if line.startswith("2.62 ms ")]
    return ends[0] - titles[0] - 1 if titles and ends else 0


def test_the_view_follows_the_size_of_its_terminal_and_leaves_it_as_it_was(terminal: Terminal) -> None:
    terminal.shows(elapsed("starting"))
    terminal.seconds_pass(3)
    # A screen is drawn from its top: the last line has to be there, too.
    drawn = elapsed("3.00 s")
    small = terminal.shows(lambda screen: drawn(screen) and any(line.endswith("reset 3") for line in screen))
    assert small[0].startswith("http://127.0.0.1:8000/predict  60 arrivals per second")
    assert max(map(len, small)) <= 80
    assert small[2].split()[0] == "throughput"

    large = terminal.resize(160, 50, lambda screen: histogram_rows(screen) == MOST_HISTOGRAM)
    assert 3 < histogram_rows(small) < MOST_HISTOGRAM
    assert large[0].startswith(small[0][:50])

    # Nothing is left of the larger screen: neither its histogram nor a second copy of a figure.
    names = ["throughput", "p50", "p90", "failures", "arrivals", "in", "server", "server", "generator", "generator"]
    terminal.resize(60, 14, lambda screen: [line.split()[0] for line in screen[1:] if line.split()] == names)

    again = terminal.resize(80, 24, lambda screen: histogram_rows(screen) == histogram_rows(small))
    assert max(map(len, again)) <= 80

    terminal.tmux("send-keys", "C-d")
    after = terminal.shows(lambda screen: "the run is over" in screen)
    assert "before" in after
    assert not any("throughput" in line for line in after)
