"""`perfcli capacity`: what is the highest load that holds the SLOs?"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from perfcli.cli.extras import require_extra
from perfcli.cli.judging import Slos, exit_with, read_slos, tell_github
from perfcli.cli.loading import confirm_target, default_scenario, load_payloads, read_facts
from perfcli.cli.options import (
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
    read_counts,
    read_duration,
)
from perfcli.cli.output import check_outputs, deliver, exit_when_partial
from perfcli.errors import UsageError


class By(StrEnum):
    """What the load is."""

    RATE = "rate"
    USERS = "users"


def capacity(
    slo: Slos = None,
    by: Annotated[
        By, typer.Option(help="Search for arrivals per second, or for users who wait for their answer.")
    ] = By.RATE,
    start: Annotated[
        float | None, typer.Option(min=1, help="First load to try.", show_default="50 arrivals per second, or 1 user")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Largest distance between the answer and the lowest load that fails.", metavar="RATIO")
    ] = "5%",
    probe_time: Annotated[
        str,
        typer.Option(
            help="Longest time of a probe, which ends earlier when it is decided; a confirmation that lacks samples "
            "may take four times as long.",
            metavar="DURATION",
        ),
    ] = "15s",
    max_probes: Annotated[
        int,
        typer.Option(
            min=4,
            help="Give up after so many probes, confirmations included; those that a busy machine spoilt do not count.",
        ),
    ] = 30,
    max_time: Annotated[
        str,
        typer.Option(
            help="Start no probe after this time, and say what is known once the last one has ended; for each number "
            "of workers.",
            metavar="DURATION",
        ),
    ] = "3m",
    host: Host = None,
    workers: Annotated[
        str | None,
        typer.Option(
            help="Search with each of these numbers of processes of the embedded API, and say which is worth it.",
            metavar="N,...",
            show_default=False,
        ),
    ] = None,
    payloads: Payloads = None,
    scenario: Scenario = None,
    path: RequestPath = None,
    header: RequestHeaders = None,
    timeout: RequestTimeout = "10s",
    check: Checks = None,
    processes: Processes = 1,
    yes: Yes = False,
    output: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Search for the highest load that holds the SLOs: double, bisect, confirm twice.

    A probe runs until it is decided: steady, proven lost, or the queue grows.

    Examples:

      perfcli capacity --slo 'p99 < 50ms' --slo 'error_rate < 0.1%'

      perfcli capacity --by users --slo 'p95 < 100ms' --host http://localhost:8000

      perfcli capacity --workers 1,2,4 --slo 'p99 < 50ms'
    """
    require_extra("load", "A search for capacity")
    from perfcli.cli.searching import describe_search, plan_search, search_each
    from perfcli.loadtest.options import LoadOptions
    from perfcli.loadtest.planning import plan_load
    from perfcli.verdicts.capacity import exit_code
    from perfcli.verdicts.measuring import check_loop

    outputs = output or ()
    check_outputs(outputs, inputs=(payloads, scenario))
    slos = read_slos(slo, "load")
    if not slos:
        raise UsageError("A capacity needs something that must hold.", "Add --slo 'p99 < 50ms'.")
    rate = by is By.RATE
    check_loop(slos, open_loop=rate)
    counts = read_counts("--workers", workers) if workers is not None else ()
    plan = plan_search(by.value, start, precision, max_probes, max_time)
    options = LoadOptions(
        scenario=scenario or default_scenario(),
        host=host,
        facts=read_facts(scenario),
        payloads=load_payloads(payloads, scenario),
        path=path,
        headers=header or (),
        timeout_s=read_duration("--timeout", timeout),
        checks=[each.value for each in check or ()],
        rate_rps=plan.start if rate else None,
        users=None if rate else round(plan.start),
        duration_s=read_duration("--probe-time", probe_time),
        processes=processes,
    )
    if counts and options.url is not None:
        hint = "Leave --workers out, or --host and the host of the scenario."
        raise UsageError("--workers is for the embedded API, not for one that runs.", hint)
    first = plan_load(options)
    confirm_target(first, yes=yes, bound=describe_search(plan, options))
    result = search_each(counts, options, first, slos, plan, sys.stderr)
    deliver(result, outputs, as_json=as_json)
    exit_when_partial(result)
    tell_github(result)
    exit_with(exit_code(result))
