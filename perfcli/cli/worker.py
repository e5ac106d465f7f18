"""`perfcli worker`: make requests for a load test that another machine directs."""

from __future__ import annotations

from typing import Annotated

import typer

from perfcli.cli.extras import require_extra
from perfcli.cli.options import read_duration


def worker(
    master_host: Annotated[str, typer.Option(help="Where `perfcli load --master` runs.")] = "127.0.0.1",
    master_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 5557,
    connect: Annotated[str, typer.Option(help="Wait so long for the master.", metavar="DURATION")] = "60s",
) -> None:
    """Make requests for a load test that another machine directs, and report to it until it is over.

    Scenario and payloads come from the master. The protocol has no authentication and no encryption: use it in a
    network of your own.

    Example:

      perfcli worker --master-host 10.0.0.5
    """
    require_extra("load", "A load test")
    from perfcli.loadtest.run import run_worker

    run_worker(master_host, master_port, connect_s=read_duration("--connect", connect))
