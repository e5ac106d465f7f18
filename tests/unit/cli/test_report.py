"""`perfcli report`: every file and view of a recorded run."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from perfcli.cli.app import make_app
from perfcli.errors import DeliveryError

RUNS = Path(__file__).parents[2] / "golden"


def report(*arguments: object) -> str:
    result = CliRunner().invoke(make_app(), ["report", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_one_record_becomes_every_file_that_is_asked_for(tmp_path: Path):
    page, stacks, scope = tmp_path / "run.html", tmp_path / "run.folded", tmp_path / "scope.json"
    report(RUNS / "profile.json", "-o", page, "-o", stacks, "--speedscope", scope)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert stacks.read_text(encoding="utf-8").splitlines()[0].startswith("LocalTarget.prepare.<locals>.call (")
    assert json.loads(scope.read_bytes())["profiles"][0]["type"] == "sampled"


def test_the_call_tree_is_shown_when_asked_for():
    assert "Call tree" not in report(RUNS / "profile.json")
    assert "Call tree" in report(RUNS / "profile.json", "--tree")


def test_a_record_comes_out_as_it_went_in(tmp_path: Path):
    again = tmp_path / "again.json"
    report(RUNS / "profile.json", "-o", again)
    assert again.read_bytes() == (RUNS / "profile.json").read_bytes()


def test_stacks_of_a_load_are_refused_after_the_result_was_shown(tmp_path: Path):
    stacks = tmp_path / "run.folded"
    result = CliRunner().invoke(make_app(), ["report", str(RUNS / "load.json"), "-o", str(stacks)])
    assert isinstance(result.exception, DeliveryError)
    assert "the result has no call tree" in result.exception.message
    assert "60 poisson arrivals per second" in result.output
    assert list(tmp_path.iterdir()) == []
