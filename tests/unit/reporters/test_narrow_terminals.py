"""No table cuts a figure on a narrow terminal: what has no room is left out, with a word about it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from perfcli.reporters import View
from perfcli.reporters.json import read_result
from perfcli.reporters.table import TABLES

TESTS = Path(__file__).parents[2]
RUNS = [*(TESTS / "integration/reporters/runs").glob("*.json"), *(TESTS / "golden").glob("*.json")]


def drawn(run: Path, columns: int) -> str:
    result = read_result(run)
    stream = io.StringIO()
    console = Console(file=stream, width=columns, markup=False, highlight=False)
    for part in TABLES[type(result)](result, View()):
        if not isinstance(part, str):
            console.print(part)
    return stream.getvalue()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.parent.name}/{run.stem}")
def test_no_cell_is_cut_at_80_columns(run: Path) -> None:
    assert "…" not in drawn(run, 80)


def cells(drawing: str, label: str) -> list[list[str]]:
    rows = [re.split(r"\s{2,}", line.strip()) for line in drawing.splitlines()]
    return [row for row in rows if row[0] == label]


@pytest.mark.parametrize("columns", [45, 60, 70, 76])
@pytest.mark.parametrize("run", [TESTS / "golden/load.json", TESTS / "integration/reporters/runs/load.json"])
def test_a_narrow_table_of_a_load_keeps_its_labels_and_whole_values(run: Path, columns: int) -> None:
    narrow, wide = drawn(run, columns), drawn(run, 120)
    for label in ("/predict", "response", "service", "sent late by"):
        [whole], [shown] = cells(wide, label), cells(narrow, label)
        assert set(shown) <= set(whole)
    # The p99 never goes, and what does is named.
    assert cells(wide, "/predict")[0][7] in cells(narrow, "/predict")[0]
    assert ("p95" in cells(narrow, "endpoint")[0]) is (columns == 76)
    assert bool(re.search("^  .*p95.*: in a wider terminal", narrow, re.MULTILINE)) is (columns != 76)


@pytest.mark.parametrize("columns", [60, 70, 76])
@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.parent.name}/{run.stem}")
def test_no_cell_of_a_narrower_terminal_is_cut_either(run: Path, columns: int) -> None:
    assert "…" not in drawn(run, columns)


def test_the_columns_that_a_narrow_table_of_probes_leaves_out_are_named() -> None:
    run = TESTS / "integration/reporters/runs/capacity.json"
    narrow, wide = drawn(run, 80), drawn(run, 120)
    assert "in flight, L / λW, measured: in a wider terminal" in narrow
    assert "2.71 s" not in narrow
    assert "2.71 s" in wide
    assert "in a wider terminal" not in wide
