"""`perfcli compare`: what a job of GitHub is told, and what the process ends with, are the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perfcli.cli.app import make_app

PROFILE = Path(__file__).parents[2] / "golden" / "profile.json"


@pytest.mark.parametrize(
    ("files", "fail_if", "code", "told"),
    [
        (("fast", "slow"), "slower", 1, "::error title=perfcli::Slower by 100.0 %25."),
        (("fast", "slow"), "different", 1, "::error title=perfcli::Slower by 100.0 %25."),
        (("fast", "slow"), "faster", 0, "::warning title=perfcli::Slower by 100.0 %25."),
        (("fast", "slow"), "never", 0, "::warning title=perfcli::Slower by 100.0 %25."),
        (("slow", "fast"), "faster", 1, "::error title=perfcli::Faster by 50.0 %25."),
        (("slow", "fast"), "slower", 0, ""),
        (("fast", "fast"), "different", 0, ""),
    ],
)
def test_only_what_fails_is_an_error_on_github(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, str], fail_if: str, code: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    record = json.loads(PROFILE.read_bytes())
    for name, factor in (("fast", 1), ("slow", 2)):
        samples_ms = [factor * (10 + (number * 7 % 40) / 100) for number in range(200)]
        Path(name).write_text(json.dumps({**record, "samples_ms": samples_ms}))
    app = make_app(["compare", "report"])
    done = CliRunner().invoke(app, ["compare", *files, "--fail-if", fail_if], catch_exceptions=False)
    assert (done.exit_code, done.stderr.strip()) == (code, told)
