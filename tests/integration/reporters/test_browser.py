"""The pages in a real browser that can reach nobody; left out where there is no Chromium."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from perfcli.reporters import REPORTERS
from perfcli.reporters.json import read_result

RUNS = {
    "profile": Path(__file__).parents[2] / "golden" / "profile.json",
    **{kind: Path(__file__).parent / "runs" / f"{kind}.json" for kind in ("load", "comparison", "capacity", "sweep")},
}
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr", "--allow-file-access-from-files", "--virtual-time-budget=120000",
)  # fmt: skip

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
every_kind = pytest.mark.parametrize("kind", RUNS)

COLLECT = """addEventListener("load", async () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const said = document.body.appendChild(document.createElement("pre"));
    said.textContent = frame.name + "\\n" + await (SAY)(frame.contentDocument, frame.contentWindow);
  }
})"""
DOCUMENT = "(page) => page.documentElement.outerHTML"
CHECKED = """async (page, window) => {
  const found = [];
  const dark = page.getElementById("dark");
  for (const options of [{}, {runOnly: ["color-contrast"]}]) {
    const {passes, violations} = await window.axe.run(options);
    dark.media = "all";
    found.push({passes: passes.length, violations: violations.map((rule) => [
      rule.id, rule.nodes.slice(0, 3).map((node) => node.html.slice(0, 120) + node.failureSummary)])});
  }
  return JSON.stringify(found);
}"""


USED = """(page, window) => {
  const said = [];
  const shown = () => page.getElementById("flame-info").textContent.split("\\n")[0];
  const heading = page.querySelector("#distribution button");
  const figure = page.querySelector("#distribution ~ figure");
  for (let times = 0; times < 2; times++) {
    heading.click();
    said.push([heading.getAttribute("aria-expanded"), window.getComputedStyle(figure).display]);
  }
  const search = page.getElementById("flame-search");
  search.value = "PATIENTMODEL.";
  search.dispatchEvent(new window.Event("input"));
  for (const key of ["Enter", "Enter", "Enter", "Escape"]) {
    search.dispatchEvent(new window.KeyboardEvent("keydown", {key}));
    said.push(shown());
  }
  return JSON.stringify(said);
}"""


def page_of(kind: str) -> str:
    page = io.StringIO()
    REPORTERS[".html"].write(read_result(RUNS[kind]), page)
    return page.getvalue()


def opened(pages: Mapping[str, str], folder: Path, say: str, frame: str = "") -> tuple[dict[str, str], str]:
    """Open pages in frames of one browser; return what a function of ours says of each, and what the console said."""
    frames = []
    for kind, html in pages.items():
        (folder / f"{kind}.html").write_text(html, encoding="utf-8")
        frames.append(f'<iframe name="{kind}" src="{kind}.html" width="1200" height="900" {frame}></iframe>')
    outer = folder / "all.html"
    script = COLLECT.replace("SAY", say)
    outer.write_text(f"<!doctype html><body>{''.join(frames)}<script>{script}</script></body>", encoding="utf-8")
    command = [str(BROWSER), *QUIET, f"--user-data-dir={folder / 'browser'}", "--dump-dom", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    said = re.findall("<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return dict(unescape(text).split("\n", 1) for text in said), console


@pytest.fixture(scope="session")
def with_script(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    return opened({kind: page_of(kind) for kind in RUNS}, tmp_path_factory.mktemp("script"), DOCUMENT)


@pytest.fixture(scope="session")
def without_script(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A frame that may not run scripts is what a browser is whose owner has switched them off."""
    pages = {kind: page_of(kind) for kind in RUNS}
    return opened(pages, tmp_path_factory.mktemp("plain"), DOCUMENT, 'sandbox="allow-same-origin"')[0]


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What axe says of each page, as it is and with the colours of the dark scheme."""
    axe = pytest.importorskip("axe_core_python")
    script = (files(axe) / "axe.min.js").read_text(encoding="utf-8")
    pages = {}
    for kind in RUNS:
        html = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", page_of(kind))
        (dark,) = re.findall(r"@media screen and \(prefers-color-scheme: dark\) \{(.*)\}\n", html)
        more = f'<style id="dark" media="not all">{dark}</style><script>{script}</script></body>'
        pages[kind] = html.replace("</body>", more)
    return opened(pages, tmp_path_factory.mktemp("axe"), CHECKED)[0]


class Words(HTMLParser):
    """Collects what a reader sees, titles of drawings included."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found += data.split()


def test_no_page_has_a_word_for_the_console(with_script):
    documents, console = with_script
    assert console == ""
    assert set(documents) == set(RUNS)


@every_kind
def test_without_javascript_the_same_numbers_are_there(kind, with_script, without_script):
    plain = Words(without_script[kind]).found
    assert plain == Words(page_of(kind)).found
    # The script adds words of its own, and takes no number away.
    numbers = Counter(word for word in plain if word[0].isdigit())
    assert sum(numbers.values()) > 20
    assert not numbers - Counter(Words(with_script[0][kind]).found)
    assert '<div class="tools">' not in without_script[kind]


@every_kind
def test_a_check_of_accessibility_finds_nothing_in_light_and_in_dark(kind, checked):
    light, dark = json.loads(checked[kind])
    assert light["violations"] == []
    assert dark["violations"] == []
    assert light["passes"] > 15
    assert dark["passes"] == 1


def test_a_heading_folds_what_is_below_it_and_enter_goes_through_the_frames_that_were_found(tmp_path):
    said, console = opened({"profile": page_of("profile")}, tmp_path, USED)
    assert console == ""
    assert json.loads(said["profile"]) == [
        ["false", "none"], ["true", "block"],
        "PatientModel.predict", "PatientModel.predict_proba", "PatientModel.predict", "(prediction)",
    ]  # fmt: skip


def test_the_script_makes_tables_sortable_and_the_flame_graph_searchable(with_script):
    document = with_script[0]["profile"]
    assert '<button type="button">cumulative</button>' in document
    assert '<div class="tools">' in document
    assert 'class="plot flame live"' in document
