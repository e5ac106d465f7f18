"""`perfcli serve`: run the instrumented inference API."""

from __future__ import annotations

from typing import Annotated

import typer

from perfcli.cli.extras import require_extra
from perfcli.cli.options import TRUST_HELP


def serve(
    model: Annotated[
        str | None, typer.Option(help="Import path or file of the model; the embedded one without it.", metavar="MODEL")
    ] = None,
    trust: Annotated[bool | None, typer.Option("--trust", help=TRUST_HELP)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (API_HOST, 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one (API_PORT, 8000).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Server processes (API_WORKERS, 1).")] = None,
    monitoring: Annotated[
        bool | None,
        typer.Option("--monitoring/--no-monitoring", help="Measure predictions (ENABLE_PERFORMANCE_MONITORING)."),
    ] = None,
    with_redis: Annotated[
        bool, typer.Option("--with-redis", help="Start a Redis server beside it and log into that too.")
    ] = False,
) -> None:
    """Serve the model over HTTP, with logs, metrics and a monitor.

    An option wins over its environment variable, which wins over .env. Stop with Ctrl-C: requests and logs are drained.

    Examples:

      perfcli serve --monitoring

      perfcli serve --model models/patient.joblib --trust --port 0
    """
    require_extra("serve", "The API")
    from contextlib import ExitStack
    from functools import partial

    from perfcli.api.announcement import announce_when_ready
    from perfcli.api.redis_server import redis_server
    from perfcli.api.serving import bind, run_server
    from perfcli.settings import load_settings

    settings = load_settings(
        {
            "model_path": model,
            "model_trust": trust,
            "api_host": host,
            "api_port": port,
            "api_workers": workers,
            "enable_performance_monitoring": monitoring,
        }
    )
    with ExitStack() as running, running.enter_context(bind(settings.api_host, settings.api_port)) as listener:
        if with_redis:
            settings = running.enter_context(redis_server(settings))
        announce_when_ready(settings, listener, partial(typer.echo, err=True))
        run_server(settings, listener)
