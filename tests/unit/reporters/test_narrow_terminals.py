"""No table cuts a figure on a terminal of 80 columns: what has no room is left out, with a word about it."""

from __future__ import annotations

import io
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


def test_the_columns_that_a_narrow_table_of_probes_leaves_out_are_named() -> None:
    run = TESTS / "integration/reporters/runs/capacity.json"
    narrow, wide = drawn(run, 80), drawn(run, 120)
    assert "in flight, L / λW, measured: in a wider terminal" in narrow
    assert "2.71 s" not in narrow
    assert "2.71 s" in wide
    assert "in a wider terminal" not in wide
