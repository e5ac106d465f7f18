"""`perfcli profile`: where does one prediction spend its time?"""

from __future__ import annotations

import sys
from contextlib import closing, redirect_stdout
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from perfcli.cli.judging import AllowFew, Slos, exit_by_verdicts, judge, read_slos
from perfcli.cli.opening import default_payload, open_local, open_url, refuse_options
from perfcli.cli.options import (
    HTTP_METHOD_HELP,
    MODEL_HELP,
    TRUST_HELP,
    AsJson,
    Outputs,
    Speedscope,
    Tree,
    read_duration,
)
from perfcli.cli.output import check_outputs, deliver, exit_when_partial


class Sort(StrEnum):
    """What the functions are ordered by."""

    SELF = "self"
    CUMULATIVE = "cumulative"


def profile(
    payload: Annotated[
        str | None,
        typer.Argument(
            help="JSON (an object is one row, a list a batch), JSON Lines, CSV, or - for stdin. "
            "[dim]Default: a patient that travels with perfcli.[/dim]",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help=MODEL_HELP, metavar="MODEL", rich_help_panel="Local model"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Method that predicts, such as predict_proba.", show_default="predict", rich_help_panel="Local model"
        ),
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help=TRUST_HELP, rich_help_panel="Local model")] = False,
    stage: Annotated[
        list[str] | None,
        typer.Option(
            help="Time this function as a stage of its own. Repeatable.",
            metavar="MODULE:FUNCTION",
            rich_help_panel="Local model",
        ),
    ] = None,
    url: Annotated[str | None, typer.Option(help="Profile a remote API instead.", rich_help_panel="Remote API")] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            help="'Name: value'; the value env:TOKEN is read from $TOKEN. Repeatable.", rich_help_panel="Remote API"
        ),
    ] = None,
    timeout: Annotated[
        str,
        typer.Option(
            help="Longest wait for the connection, and for each part of the answer.",
            metavar="DURATION",
            rich_help_panel="Remote API",
        ),
    ] = ("30s"),
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not verify the certificate.", rich_help_panel="Remote API")
    ] = False,
    http_method: Annotated[str, typer.Option(help=HTTP_METHOD_HELP, rich_help_panel="Remote API")] = "POST",
    max_time: Annotated[
        str,
        typer.Option(
            help="Stop measuring after this time; stages, memory and call tree take up to two seconds each beyond it.",
            metavar="DURATION",
        ),
    ] = "10s",
    runs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Count exactly so many calls, instead of until the median is known. Those for warm-up, functions, "
            "stages, memory and call tree come on top: six where one takes over two seconds.",
        ),
    ] = None,
    sort: Annotated[Sort, typer.Option(help="Order of the functions.")] = Sort.SELF,
    top: Annotated[int, typer.Option(min=1, help="Rows in the table of functions.")] = 10,
    prof: Annotated[
        Path | None, typer.Option(help="Write the profile for pstats and snakeviz.", metavar="FILE")
    ] = None,
    slo: Slos = None,
    allow_few: AllowFew = False,
    speedscope: Speedscope = None,
    tree: Tree = False,
    output: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show where one prediction spends its time.

    Durations, CPU time and memory come from calls without the profiler; cProfile tells where the time goes, and what
    it costs is printed. Durations are written 500ms, 10s, 2m.

    Examples:

      perfcli profile

      perfcli profile rows.jsonl --model model.joblib --trust --method predict_proba

      perfcli profile payload.json --url http://localhost:8000/predict -o run.json
    """
    from perfcli.cli.progress import show_profile_progress
    from perfcli.payloads import read_payloads
    from perfcli.profiling import SamplingPlan, run_profile, write_pstats
    from perfcli.reporters import View

    outputs = output or ()
    extra_files = [file for file in (prof, speedscope) if file]
    check_outputs(outputs, extra_files, inputs=(payload, model), has_tree=True)
    slos = read_slos(slo, "profile")
    plan = SamplingPlan(max_time_s=read_duration("--max-time", max_time), runs=runs)
    payloads = read_payloads(default_payload(model) if payload is None else payload)
    # What a model prints is no result of ours.
    with redirect_stdout(sys.stderr):
        if url is None:
            target = open_local(model, method, trust=trust, stage=stage or ())
        else:
            refuse_options("--url", model=model, method=method, trust=trust, stage=stage)
            target = open_url(url, header=header or (), timeout=timeout, insecure=insecure, http_method=http_method)
        with closing(target), show_profile_progress() as tell:
            measured = run_profile(target, payloads, plan, tell, keep_on_failure=True)
    extra = {} if prof is None else {prof: partial(write_pstats, measured.graph)}
    if speedscope is not None:
        from perfcli.reporters.stacks import write_speedscope

        extra[speedscope] = partial(write_speedscope, measured.result)
    result = judge(measured.result, slos, allow_few=allow_few)
    deliver(result, outputs, as_json=as_json, view=View(top, sort.value, tree), extra=extra)
    if measured.failure is not None:
        raise measured.failure
    exit_when_partial(result)
    exit_by_verdicts(result)
