"""The command line: one Typer application, and the one place where an error becomes an exit code."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from perfcli import __version__
from perfcli.cli.signals import end_runs_on_sigterm, interruption_code
from perfcli.errors import ExitCode, PerfcliError

COMMANDS = ("profile", "load", "compare", "capacity", "sweep", "worker", "serve", "logs", "report")
"""In the order of `--help`; each is what the module of its name calls so: a function, or an application of its own."""


def make_app(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the command line with these commands; what belongs to the others is not imported."""
    app = typer.Typer(
        name="perfcli",
        help="Profile and load-test machine-learning inference services, with numbers a sceptic can check.",
        epilog="Start with: perfcli profile",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in commands:
        command = getattr(import_module(f"perfcli.cli.{name}"), name)
        if isinstance(command, typer.Typer):
            for each in command.registered_commands:
                each.help = _reflowed(inspect.getdoc(each.callback) or "")
            app.add_typer(command, name=name)
        else:
            app.command(name, help=_reflowed(inspect.getdoc(command) or ""))(command)
    return app


def _reflowed(text: str) -> str:
    """Make one line of each paragraph: Typer breaks lines where the source does, beside the width of the terminal."""
    return "\n\n".join(part if part.startswith(" ") else part.replace("\n", " ") for part in text.split("\n\n"))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perfcli {__version__}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""


CLOSED_PIPE = 141
"""What a shell says of a program that SIGPIPE ended."""


def main() -> None:
    """Run the command line, and end the process with the exit code that `ExitCode` documents."""
    end_runs_on_sigterm()
    try:
        make_app(sys.argv[1:2] if sys.argv[1:2] and sys.argv[1] in COMMANDS else COMMANDS)()
    except (SystemExit, KeyboardInterrupt) as ending:
        if isinstance(ending, SystemExit) and isinstance(ending.__context__, BrokenPipeError):
            # Typer makes 1 of a reader such as `head` that goes away, and 1 says that an SLO failed.
            sys.exit(CLOSED_PIPE)
        interrupt = _interrupt_behind(ending)
        if interrupt is None:
            raise
        _say(str(interrupt) or "Interrupted.")
        sys.exit(interruption_code())
    except PerfcliError as error:
        _explain(error)
        sys.exit(error.exit_code)
    except BaseException:  # noqa: BLE001 - the last line of defence: whatever arrives here is a bug of ours
        traceback.print_exc()
        _say(f"This is a bug in perfcli {__version__}. Please report it with the lines above.")
        sys.exit(ExitCode.BUG)


def _interrupt_behind(ending: BaseException | None) -> KeyboardInterrupt | None:
    """Return the Ctrl-C or SIGTERM that broke a command off: Typer makes an exit of it."""
    while ending is not None and not isinstance(ending, KeyboardInterrupt):
        ending = ending.__cause__ or ending.__context__
    return ending


def _explain(error: PerfcliError) -> None:
    _say(f"Error: {error.message}")
    if error.hint:
        _say(f"Hint: {error.hint}")


def _say(text: str) -> None:
    """Write to stderr, and survive that nobody reads it."""
    try:
        print(text, file=sys.stderr)  # noqa: T201 - the one place that may
    except BrokenPipeError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - stays open until the process ends
