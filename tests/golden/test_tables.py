"""What a terminal shows of recorded runs, to the letter; rewritten with `make golden`."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from perfcli.reporters import View
from perfcli.reporters.json import read_result
from perfcli.reporters.table import TableReporter

HERE = Path(__file__).parent
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True


def shown(run: str, columns: int, monkeypatch: pytest.MonkeyPatch, *, colour: bool, encoding: str = "utf-8") -> str:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": str(columns), "LINES": "50", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal(encoding)
    TableReporter(View(tree=True)).write(read_result(HERE / f"{run}.json"), terminal)
    return terminal.getvalue()


RUNS = pytest.mark.parametrize("run", ["profile", "load"])


@RUNS
@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("colour", [False, True], ids=["plain", "colour"])
def test_the_tables_are_as_they_were(run, columns, colour, monkeypatch, check):
    text = shown(run, columns, monkeypatch, colour=colour)
    check(text, HERE / f"{run}-{columns}{'-colour' * colour}.txt")


@RUNS
def test_the_tables_in_ascii_are_as_they_were(run, monkeypatch, check):
    text = shown(run, 80, monkeypatch, colour=False, encoding="ascii")
    assert text.isascii()
    check(text, HERE / f"{run}-80-ascii.txt")


@RUNS
@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal_but_the_one_for_machines(run, columns, monkeypatch):
    lines = shown(run, columns, monkeypatch, colour=False).splitlines()
    assert [line for line in lines if len(ESCAPE.sub("", line)) > columns and not line.startswith("{")] == []


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_no_figure_of_an_endpoint_is_cut(columns, monkeypatch):
    text = ESCAPE.sub("", shown("load", columns, monkeypatch, colour=False))
    (row,) = [line for line in text.splitlines() if line.strip().startswith("/predict")]
    cells = row.replace(" ms", "ms").split()
    narrow = ["/predict", "1320", "0", "59.8/s", "15.8ms", "102ms", "174ms", "242ms"]
    wide = [*narrow[:5], "70.1ms", "102ms", "174ms", "-", "242ms"]
    assert cells == (wide if columns >= 100 else narrow)


@RUNS
def test_colour_adds_nothing_but_colour(run, monkeypatch):
    plain = shown(run, 80, monkeypatch, colour=False)
    assert ESCAPE.sub("", shown(run, 80, monkeypatch, colour=True)) == ESCAPE.sub("", plain)


@RUNS
def test_ascii_changes_signs_and_no_number(run, monkeypatch):
    plain = ESCAPE.sub("", shown(run, 80, monkeypatch, colour=False))
    ascii_text = ESCAPE.sub("", shown(run, 80, monkeypatch, colour=False, encoding="ascii"))
    assert len(plain) == len(ascii_text)
    assert re.findall(r"\d+\.?\d*", plain) == re.findall(r"\d+\.?\d*", ascii_text)
