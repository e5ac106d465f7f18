"""`perfcli report`: every file and view of a recorded run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perfcli.cli.app import make_app
from perfcli.errors import UsageError

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


@pytest.mark.parametrize("asked", [["--tree"], ["--speedscope", "scope.json"], ["-o", "run.folded"]])
@pytest.mark.parametrize("run", ["load", "profile without a tree"])
def test_a_call_tree_of_a_record_without_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, asked: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record = json.loads((RUNS / f"{run.split()[0]}.json").read_bytes())
    Path("run.json").write_text(json.dumps(record | ({} if run == "load" else {"call_tree": None})))
    result = CliRunner().invoke(make_app(), ["report", "run.json", *asked])
    assert isinstance(result.exception, UsageError)
    assert result.exception.message == "run.json has no call tree."
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("command", [["load"], ["sweep"], ["capacity", "--slo", "p99 < 1s"], ["compare", "a", "b"]])
def test_stacks_of_what_has_no_call_tree_are_refused_before_anything_is_measured(command: list[str]) -> None:
    result = CliRunner().invoke(make_app(), [*command, "-o", "run.folded"])
    assert isinstance(result.exception, UsageError)
    assert result.exception.message == "Cannot write run.folded: only a profile has a call tree."


def test_columns_says_how_wide_the_tables_are(monkeypatch):
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = [line for line in report(RUNS / "profile.json").splitlines() if not line.startswith("{")]
        assert columns - 20 < max(map(len, lines)) <= columns
    monkeypatch.delenv("COLUMNS")
    assert max(len(line) for line in report(RUNS / "profile.json").splitlines() if not line.startswith("{")) <= 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (" \n", "run.json is empty."),
        ('{"x": 1}', "run.json is not a record of perfcli."),
        ("[1]", "run.json is not a record of perfcli."),
        ('{"schema": "perfcli/other/9"}', "run.json is not a record of this perfcli: unknown schema 'perfcli/other/9'"),
    ],
)
def test_what_is_no_record_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_text(content)
    result = CliRunner().invoke(make_app(), ["report", "run.json"])
    assert isinstance(result.exception, UsageError)
    assert result.exception.message.startswith(message)
