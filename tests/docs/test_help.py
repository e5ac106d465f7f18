"""Every command and option explains itself, and the README names every command."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from perfcli.cli.app import make_app

ROOT = Path(__file__).parents[2]


def commands() -> dict[str, object]:
    found: dict[str, object] = {}

    def walk(prefix: str, command: object) -> None:
        for name, child in getattr(command, "commands", {}).items():
            walk(f"{prefix} {name}".strip(), child)
        if not getattr(command, "commands", None):
            found[prefix] = command

    walk("", typer.main.get_command(make_app()))
    return found


COMMANDS = commands()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself_with_an_example(name):
    text = COMMANDS[name].help  # type: ignore[attr-defined]
    assert text
    assert f"perfcli {name.split()[0]}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name):
    for parameter in COMMANDS[name].params:  # type: ignore[attr-defined]
        if getattr(parameter, "hidden", False):
            continue
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"


def test_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"perfcli {name}" not in readme] == []


@pytest.mark.parametrize("name", ["load", "profile"])
def test_the_help_of_slo_names_the_tables_that_are_read(name):
    (slo,) = (each for each in COMMANDS[name].params if each.name == "slo")  # type: ignore[attr-defined]
    assert "tool.perfcli.load" in slo.help
    assert "tool.perfcli.profile" in slo.help
