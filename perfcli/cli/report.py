"""`perfcli report`: show a recorded run again, in any format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perfcli.cli.options import AsJson, Outputs
from perfcli.cli.output import check_outputs, deliver


def report(
    run: Annotated[Path, typer.Argument(help="A record written with -o run.json.", metavar="RUN.json")],
    output: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show a recorded run again: every report is made from the record alone.

    Examples:

      perfcli report run.json

      perfcli report run.json -o summary.md
    """
    from perfcli.reporters.json import read_result

    outputs = output or ()
    check_outputs(outputs)
    deliver(read_result(run), outputs, as_json=as_json)
