"""`perfcli sweep`: what does a row cost in batches of several sizes, and with several numbers of threads?"""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from perfcli.cli.opening import default_payload, open_local
from perfcli.cli.options import MODEL_HELP, TRUST_HELP, AsJson, Outputs, read_counts, read_duration
from perfcli.cli.output import check_outputs, deliver, exit_when_partial


def sweep(
    payload: Annotated[
        str | None,
        typer.Argument(
            help="JSON, JSON Lines, CSV, or - for stdin: rows of which the batches are made. "
            "[dim]Default: a patient that travels with perfcli.[/dim]",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[str, typer.Option(help="Batch sizes to try.", metavar="ROWS,...")] = "1,8,32,128,512",
    threads: Annotated[
        str | None,
        typer.Option(
            help="Numbers of threads to try for each native pool (BLAS, OpenMP).",
            metavar="N,...",
            show_default="as they are",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help=MODEL_HELP, metavar="MODEL")] = None,
    method: Annotated[
        str | None, typer.Option(help="Method that predicts, such as predict_proba.", show_default="predict")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help=TRUST_HELP)] = False,
    max_time: Annotated[str, typer.Option(help="Stop measuring after this time.", metavar="DURATION")] = "10s",
    output: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show what a row costs in batches of several sizes, the knee, and the batch worth using.

    A batch repeats the rows of the payload as often as it needs, and small ones take them in turn, so that every size
    is timed with the same rows: all of them, or of more than 32 as many that are spread over them.

    Examples:

      perfcli sweep

      perfcli sweep rows.jsonl --model model.joblib --trust --batch 1,16,256 --threads 1,2,4
    """
    from perfcli.cli.sweeping import measure_sweep
    from perfcli.payloads import read_payloads

    outputs = output or ()
    check_outputs(outputs, inputs=(payload, model))
    batches = read_counts("--batch", batch)
    counts = read_counts("--threads", threads) if threads is not None else (None,)
    max_time_s = read_duration("--max-time", max_time)
    payloads = read_payloads(default_payload(model) if payload is None else payload)
    with closing(open_local(model, method, trust=trust, stage=())) as target:
        result = measure_sweep(target, payloads, batches, counts, max_time_s)
    deliver(result, outputs, as_json=as_json)
    exit_when_partial(result)
