"""The command line: one Typer application, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from perfcli import __version__
from perfcli.cli.capacity import capacity
from perfcli.cli.compare import compare
from perfcli.cli.load import load
from perfcli.cli.logs import logs_app
from perfcli.cli.profile import profile
from perfcli.cli.report import report
from perfcli.cli.serve import serve
from perfcli.cli.signals import end_runs_on_sigterm, interruption_code
from perfcli.cli.sweep import sweep
from perfcli.cli.worker import worker
from perfcli.errors import ExitCode, PerfcliError

app = typer.Typer(
    name="perfcli",
    help="Profile and load-test machine-learning inference services, with numbers a sceptic can check.",
    epilog="Start with: perfcli profile",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("profile")(profile)
app.command("load")(load)
app.command("compare")(compare)
app.command("capacity")(capacity)
app.command("sweep")(sweep)
app.command("worker")(worker)
app.command("serve")(serve)
app.add_typer(logs_app, name="logs")
app.command("report")(report)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perfcli {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line, and end the process with the exit code that `ExitCode` documents."""
    end_runs_on_sigterm()
    try:
        app()
    except SystemExit as ending:
        # Typer takes the SIGTERM that interrupted a command for Ctrl-C.
        sys.exit(interruption_code() if ending.code == ExitCode.INTERRUPTED else ending.code)
    except PerfcliError as error:
        _explain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - the last line of defence: whatever arrives here is a bug of ours
        traceback.print_exc()
        _say(f"This is a bug in perfcli {__version__}. Please report it with the lines above.")
        sys.exit(ExitCode.BUG)


def _explain(error: PerfcliError) -> None:
    _say(f"Error: {error.message}")
    if error.hint:
        _say(f"Hint: {error.hint}")


def _say(text: str) -> None:
    """Write to stderr, and survive that nobody reads it."""
    try:
        print(text, file=sys.stderr)  # noqa: T201
    except BrokenPipeError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - stays open until the process ends
