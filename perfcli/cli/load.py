"""`perfcli load`: how much load does the service hold?"""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from perfcli.cli.extras import require_extra
from perfcli.cli.judging import AllowFew, Slos, exit_by_verdicts, judge, read_slos
from perfcli.cli.loading import (
    aimed,
    confirm_target,
    default_scenario,
    describe_waiting,
    load_payloads,
    read_facts,
    read_label,
    split_address,
    told_when_interrupted,
)
from perfcli.cli.options import (
    HTTP_METHOD_HELP,
    MACHINES_PANEL,
    TARGET_PANEL,
    AsJson,
    Checks,
    Host,
    Outputs,
    Payloads,
    Processes,
    RequestHeaders,
    RequestPath,
    RequestTimeout,
    Scenario,
    Yes,
    read_duration,
)
from perfcli.cli.output import check_outputs, deliver, exit_when_partial
from perfcli.errors import UsageError


class Arrivals(StrEnum):
    """How arrivals are spaced."""

    CONSTANT = "constant"
    POISSON = "poisson"


class Order(StrEnum):
    """In which order payloads are sent."""

    TURN = "turn"
    RANDOM = "random"


_CLOSED = "Closed loop: users who wait for their answer"
_OPEN = "Open loop: arrivals that wait for nothing"
_LENGTH = "Course and length"


def load(
    host: Host = None,
    payloads: Payloads = None,
    payload_order: Annotated[
        Order, typer.Option(help="Order of the payloads.", rich_help_panel=TARGET_PANEL)
    ] = Order.TURN,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows joined into each request.", rich_help_panel=TARGET_PANEL)
    ] = None,
    scenario: Scenario = None,
    path: RequestPath = None,
    http_method: Annotated[str, typer.Option(help=HTTP_METHOD_HELP, rich_help_panel=TARGET_PANEL)] = "POST",
    header: RequestHeaders = None,
    timeout: RequestTimeout = "10s",
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not verify the certificate.", rich_help_panel=TARGET_PANEL)
    ] = False,
    check: Checks = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="A label that is right, as JSON. Repeatable. Default: any.", rich_help_panel=TARGET_PANEL),
    ] = None,
    metrics_url: Annotated[
        str | None,
        typer.Option(
            help="Prometheus metrics of the server, to compare its count with ours.", rich_help_panel=TARGET_PANEL
        ),
    ] = None,
    users: Annotated[
        int | None,
        typer.Option("--users", "-u", min=1, help="Number of users.", show_default="10", rich_help_panel=_CLOSED),
    ] = None,
    spawn_rate: Annotated[
        float | None,
        typer.Option(help="Users started per second.", show_default="all at once", rich_help_panel=_CLOSED),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Requests started per second, whatever the answers do: what independent clients do to a service. "
            "Latency counts from when a request was due.",
            rich_help_panel=_OPEN,
        ),
    ] = None,
    arrivals: Annotated[
        Arrivals | None,
        typer.Option(
            help="Evenly spaced, or at random. With --shape: the shape is of arrivals, not of users.",
            show_default="constant",
            rich_help_panel=_OPEN,
        ),
    ] = None,
    max_in_flight: Annotated[
        int, typer.Option(min=1, help="An arrival that finds so many unanswered is dropped.", rich_help_panel=_OPEN)
    ] = 1000,
    duration: Annotated[
        str | None,
        typer.Option(
            "--duration",
            "-t",
            help="Length of the run.",
            metavar="DURATION",
            show_default="10s",
            rich_help_panel=_LENGTH,
        ),
    ] = None,
    requests: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="End after so many requests: exactly, except in a closed loop of HttpUsers, which end some more.",
            rich_help_panel=_LENGTH,
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            help="Such as 'ramp 0-200/30s, hold 2m, spike 600/10s'.", metavar="SHAPE", rich_help_panel=_LENGTH
        ),
    ] = None,
    warm_up: Annotated[
        str,
        typer.Option(
            help="Left out of the statistics: auto (until three windows agree within 10 %), none, or a duration.",
            metavar="auto|none|DURATION",
            rich_help_panel=_LENGTH,
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of random arrivals and payloads.", rich_help_panel=_LENGTH)] = 0,
    processes: Processes = 1,
    master: Annotated[
        bool,
        typer.Option("--master", help="Direct `perfcli worker`s on other machines.", rich_help_panel=MACHINES_PANEL),
    ] = False,
    expect_workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --master: start when so many are there. [dim]Default: 1.[/dim]",
            rich_help_panel=MACHINES_PANEL,
        ),
    ] = None,
    master_bind: Annotated[
        str | None,
        typer.Option(
            help="With --master: address to listen at. The protocol has no authentication: name a private one. "
            "[dim]Default: 127.0.0.1:5557.[/dim]",
            metavar="HOST:PORT",
            rich_help_panel=MACHINES_PANEL,
        ),
    ] = None,
    yes: Yes = False,
    slo: Slos = None,
    allow_few: AllowFew = False,
    output: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Load an API and report what it holds: throughput, exact latencies, failures, and what limits it.

    Without a word about the load it is 10 users for 10 seconds against the embedded API. Durations are written 500ms,
    10s, 2m. What the generator itself costs is measured before the first run on this machine and kept for a day; it
    is measured anew when a run was faster than it allows.

    Failures are reported and do not change the exit code, unless every request failed: gate them with
    --slo 'error_rate < 1%'.

    Examples:

      perfcli load --users 50

      perfcli load --host http://localhost:8000 --rate 200 --arrivals poisson -t 1m -o run.json

      perfcli load --scenario loadtests/mixed.py --shape 'ramp 0-50/20s, hold 1m'
    """
    require_extra("load", "A load test")
    from perfcli.loadtest.options import LoadOptions
    from perfcli.loadtest.planning import plan_load
    from perfcli.loadtest.run import calibrate_engine, ensure_answered, ensure_measured, run_load
    from perfcli.profiling.environment import describe_environment
    from perfcli.reporters.load_live import show_load_progress
    from perfcli.reporters.load_table import describe_run
    from perfcli.verdicts.early import is_lost
    from perfcli.verdicts.measuring import check_loop

    outputs = output or ()
    check_outputs(outputs, inputs=(payloads, scenario))
    slos = read_slos(slo, "load")
    if not master and (expect_workers or master_bind):
        raise UsageError("--expect-workers and --master-bind say nothing without --master.", "Add --master.")
    master_host, master_port = split_address(master_bind or "127.0.0.1:5557")
    plan = plan_load(
        LoadOptions(
            scenario=scenario or default_scenario(),
            host=host,
            facts=read_facts(scenario),
            payloads=load_payloads(payloads, scenario),
            payload_order=payload_order.value,
            batch_size=batch_size,
            path=path,
            http_method=http_method,
            headers=header or (),
            timeout_s=read_duration("--timeout", timeout),
            insecure=insecure,
            checks=[each.value for each in check or ()],
            classes=[read_label(each) for each in label or ()],
            users=users,
            spawn_rate=spawn_rate,
            rate_rps=rate,
            arrivals=arrivals.value if arrivals else None,
            max_in_flight=max_in_flight,
            shape=shape,
            duration_s=None if duration is None else read_duration("--duration", duration),
            requests=requests,
            warm_up=warm_up,
            seed=seed,
            processes=processes,
            expect_workers=(expect_workers or 1) if master else 0,
            master_host=master_host,
            master_port=master_port if master else 0,
            metrics_url=metrics_url,
        )
    )
    check_loop(slos, open_loop=plan.engine.open_loop)
    confirm_target(plan, yes=yes)
    with (
        told_when_interrupted(),
        aimed(plan) as target,
        show_load_progress(sys.stderr, describe_run(target.description), describe_waiting(target)) as tell,
    ):
        result = run_load(
            target,
            describe_environment(),
            # What the engine costs on the machines of other workers is not known here.
            calibration=None if master else calibrate_engine(),
            recalibrate=partial(calibrate_engine, anew=True),
            on_second=tell,
            should_stop=partial(is_lost, slos, plan.finds_warm_up) if slos else None,
        )
    result = judge(result, slos, allow_few=allow_few)
    deliver(result, outputs, as_json=as_json)
    ensure_measured(result)
    exit_when_partial(result)
    exit_by_verdicts(result)
    ensure_answered(result)
