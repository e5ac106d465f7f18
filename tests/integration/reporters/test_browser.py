"""The pages in a real browser that can reach nobody; left out where there is no Chromium."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from perfcli.reporters import REPORTERS
from perfcli.reporters.json import read_result

RUNS = Path(__file__).parents[2] / "golden"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
)  # fmt: skip

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


def open_page(run: str, folder: Path, *, script: bool = True) -> tuple[str, str]:
    """Return the document once its script has run, if it may, and what the console said."""
    page = io.StringIO()
    REPORTERS[".html"].write(read_result(RUNS / f"{run}.json"), page)
    file = folder / "page.html"
    html = (
        page.getvalue()
        if script
        else re.sub("script-src &#39;[^&]*&#39;", "script-src &#39;none&#39;", page.getvalue())
    )
    file.write_text(html, encoding="utf-8")
    profile = f"--user-data-dir={folder / 'browser'}"
    command = [str(BROWSER), *QUIET, profile, "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.parametrize("run", ["profile", "load"])
def test_a_page_opens_without_a_word_on_the_console(run, tmp_path):
    document, console = open_page(run, tmp_path)
    assert console == ""
    assert "</html>" in document


def test_the_script_makes_tables_sortable_and_the_flame_graph_searchable(tmp_path):
    document, _ = open_page("profile", tmp_path)
    assert '<button type="button">cumulative</button>' in document
    assert '<div class="tools">' in document
    assert 'class="plot flame live"' in document


def test_without_javascript_the_tools_are_not_there_and_the_numbers_are(tmp_path):
    document, _ = open_page("profile", tmp_path, script=False)
    assert '<div class="tools" hidden="">' in document
    assert "median of 144 calls" in document
    assert document.count("<rect") > 100
