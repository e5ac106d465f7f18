"""`perfcli report`: show a recorded run again, in any format."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from perfcli.cli.judging import AllowFew, exit_by_verdicts, judge, read_slos
from perfcli.cli.options import AsJson, Outputs, Speedscope, Tree
from perfcli.cli.output import check_outputs, deliver
from perfcli.errors import UsageError


def report(
    run: Annotated[Path, typer.Argument(help="A record written with -o run.json.", metavar="RUN.json")],
    slo: Annotated[
        list[str] | None,
        typer.Option(
            help="Judge the record by this, such as 'p99 < 50ms'. Repeatable. "
            "[dim]Default: the verdicts it holds.[/dim]",
            metavar="EXPRESSION",
            show_default=False,
            rich_help_panel="Verdict",
        ),
    ] = None,
    allow_few: AllowFew = False,
    speedscope: Speedscope = None,
    tree: Tree = False,
    output: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show a recorded run again: every report is made from the record alone.

    Nothing is measured again. With --slo a profile or a load is judged anew, and the exit code is that of the new
    verdicts.

    Examples:

      perfcli report run.json

      perfcli report run.json -o summary.md

      perfcli report run.json --slo 'p95 < 20ms' -o results.xml
    """
    from perfcli.records import ProfileResult
    from perfcli.records.load import LoadResult
    from perfcli.reporters import TREE_FORMATS, View
    from perfcli.reporters.json import read_result
    from perfcli.reporters.stacks import write_speedscope

    outputs = output or ()
    check_outputs(outputs, other=[speedscope] if speedscope else [], has_tree=True)
    result = read_result(run)
    wants_tree = tree or speedscope is not None or any(output.suffix in TREE_FORMATS for output in outputs)
    if wants_tree and not (isinstance(result, ProfileResult) and result.call_tree):
        raise UsageError(f"{run} has no call tree.", "Only a profile has one: perfcli profile -o run.json")
    if isinstance(result, ProfileResult | LoadResult):
        slos = read_slos(slo or (), "profile" if isinstance(result, ProfileResult) else "load")
        result = judge(result, slos, allow_few=allow_few)
    elif slo:
        raise UsageError(f"{run} is no record of a profile or a load, and has no SLOs.", "Leave --slo out.")
    extra = {} if speedscope is None else {speedscope: partial(write_speedscope, result)}
    deliver(result, outputs, as_json=as_json, view=View(tree=tree), extra=extra)
    if isinstance(result, ProfileResult | LoadResult):
        exit_by_verdicts(result)
