"""Make the pictures of the README again, from the real commands; needs Chromium for the pages (see `make pictures`)."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
COLUMNS = 100
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


def run(*arguments: str, lines: int = 60) -> str:
    """Run perfcli on a terminal of its own and return what it shows, its live view included."""
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": str(lines), "TERM": "xterm-256color"}
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "perfcli", *arguments]
    process = subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment)  # noqa: S603
    os.close(terminal)
    shown = b""
    while chunk := read(screen):
        shown += chunk
    if process.wait():
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return shown.decode().replace("\r\n", "\n")


def read(screen: int) -> bytes:
    """Return what has been shown since; nothing when the other end is closed, which Linux says with an error."""
    try:
        return os.read(screen, 65536)
    except OSError:
        return b""


def split_screens(shown: str) -> tuple[str, str]:
    """Return the last picture of the live view, which has a screen of its own, and what was shown after it."""
    live, after = shown.rsplit("\x1b[?1049l", 1)
    return live.rsplit("\x1b[H", 1)[1].split("\x1b[?25h")[0], after


def without_progress(shown: str) -> str:
    """Return what stays on the terminal: a line of progress is written over."""
    return "\n".join(line.rsplit("\x1b[K", 1)[-1] for line in shown.split("\n"))


def draw_terminal(shown: str, title: str, picture: Path) -> None:
    """Draw lines with their colours as SVG that asks for no font from anywhere."""
    lines = [line for line in shown.splitlines() if not line.startswith("{")]
    with Path(os.devnull).open("w") as nothing:
        console = Console(record=True, width=COLUMNS, file=nothing, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi("\n".join(lines)))
        drawn = console.export_svg(title=title)
    start, end = drawn.index("@font-face"), drawn.rindex("@font-face")
    picture.write_text(drawn[:start] + drawn[drawn.index("}", end) + 1 :], encoding="utf-8")


def photograph(page: Path, picture: Path, height: int) -> None:
    """Take a picture of a page."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"The pictures of pages need one of {', '.join(BROWSERS)}.")
    with tempfile.TemporaryDirectory() as profile:
        size = f"--window-size=1200,{height}"
        command = [browser, *QUIET, f"--user-data-dir={profile}", size, f"--screenshot={picture}", page.as_uri()]
        subprocess.run(command, check=True, timeout=120, capture_output=True)  # noqa: S603


def main() -> None:
    """Make all of them."""
    with tempfile.TemporaryDirectory() as folder:
        profile, load = Path(folder, "profile.html"), Path(folder, "load.html")
        shown = run("profile", "sample_payloads/malignant.json", "--top", "6", "--tree", "-o", str(profile))
        command = "perfcli profile sample_payloads/malignant.json --top 6 --tree"
        draw_terminal(without_progress(shown), command, HERE / "profile.svg")
        asked = ("load", "--rate", "60", "--arrivals", "poisson", "-t", "20s")
        live, _ = split_screens(run(*asked, "-o", str(load), lines=26))
        draw_terminal(live, f"perfcli {' '.join(asked)}", HERE / "load.svg")
        photograph(profile, HERE / "report-profile.png", 1920)
        photograph(load, HERE / "report-load.png", 1370)


if __name__ == "__main__":
    main()
