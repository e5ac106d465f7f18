"""Every command and option explains itself, and the README names every command."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

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


def test_only_commands_that_read_the_configured_slos_promise_them():
    promising = [
        name
        for name in COMMANDS
        for parameter in COMMANDS[name].params  # type: ignore[attr-defined]
        if "perfcli.toml" in (getattr(parameter, "help", None) or "")
    ]
    assert promising == ["profile", "load", "capacity"]


@pytest.mark.parametrize("name", COMMANDS)
def test_paragraphs_are_as_wide_as_the_terminal_and_examples_are_indented(name):
    paragraphs = COMMANDS[name].help.split("\n\n")  # type: ignore[attr-defined]
    assert [part for part in paragraphs if "\n" in part] == []
    shown = CliRunner().invoke(make_app(), [*name.split(), "--help"]).output.splitlines()
    examples = [line for line in shown if line.strip().startswith(f"perfcli {name}")]
    assert examples
    assert [line for line in examples if not line.startswith("   perfcli ")] == []


@pytest.mark.parametrize(
    ("option", "field", "wording"),
    [
        ("trust", "help", "Load a model file that may execute code."),
        ("http_method", "help", "Method of the requests."),
        ("model", "metavar", "MODEL"),
        ("duration", "metavar", "DURATION"),
        ("shape", "metavar", "SHAPE"),
    ],
)
def test_an_option_reads_the_same_in_every_command(option, field, wording):
    found = {
        getattr(parameter, field)
        for command in COMMANDS.values()
        for parameter in command.params  # type: ignore[attr-defined]
        if parameter.name == option
    }
    assert found == {wording}


@pytest.mark.parametrize("name", ["load", "profile"])
def test_the_help_of_slo_names_the_tables_that_are_read(name):
    (slo,) = (each for each in COMMANDS[name].params if each.name == "slo")  # type: ignore[attr-defined]
    assert "tool.perfcli.load" in slo.help
    assert "tool.perfcli.profile" in slo.help
