"""`perfcli logs`: read the records of a service back, from wherever they went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from perfcli.cli.options import read_duration
from perfcli.cli.output import stdout_that_may_close
from perfcli.errors import UsageError

if TYPE_CHECKING:
    from perfcli.logs.entry import Record
    from perfcli.logs.query import LogQuery
    from perfcli.logs.sources.protocol import LogSource

logs = typer.Typer(help="Read the logs of a service.", no_args_is_help=True)

_FOLLOW_EVERY_S = 1.0
_SHOWN = 20


class Level(StrEnum):
    """The levels of a record."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


_From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="PLACE",
        help="http://... (an API), redis://..., es+http://..., redis or elasticsearch (as the settings say), "
        "a file, or - for stdin. [dim]Default: the API of the settings.[/dim]",
    ),
]
_Since = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Only records since then: an age (5m, 1h) or a moment (ISO 8601).")
]
_Lowest = Annotated[Level | None, typer.Option(case_sensitive=False, help="Only records of this level and above.")]
_Request = Annotated[str | None, typer.Option(metavar="ID", help="Only records of the request with this X-Request-ID.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]


@logs.command()
def show(
    place: _From = None,
    since: _Since = None,
    level: _Lowest = None,
    request_id: _Request = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Most records. [dim]Default: 20.[/dim]")
    ] = None,
    slowest: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The N slowest predictions instead, the slowest first.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Show the newest records, the last one last.

    A line says when, the level, the X-Request-ID, and what the monitor measured, or else the message.

    Examples:

      perfcli logs show --since 5m

      perfcli logs show --from redis --slowest 10
    """
    from perfcli.logs.summary import slowest as slowest_of
    from perfcli.logs.text import as_document, describe

    if slowest is not None and limit is not None:
        raise UsageError("--slowest and --limit both say how many.", "Use one of them.")
    with _opened(place) as source:
        if slowest is not None:
            records = slowest_of(source.scan(_query(since, level, request_id)), slowest)
        else:
            records = list(reversed(source.read(_query(since, level, request_id, limit or _SHOWN))))
    if not records:
        typer.echo("No record matches.", err=True)
    with stdout_that_may_close():
        for line in [as_document(records)] if as_json else map(describe, records):
            typer.echo(line)


@logs.command()
def tail(
    place: _From = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as records come, until Ctrl-C.")] = False,
    since: _Since = None,
    level: _Lowest = None,
    request_id: _Request = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Records to begin with.")] = 10,
    slow: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="What a terminal shows in yellow: predictions that took longer than this. "
            "[dim]Default: than the 95th percentile of up to 200 before them, of at least 20.[/dim]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each record as the JSON line it is.")] = False,
) -> None:
    """Show the last records, and with -f each new one; on a terminal slow predictions are yellow, failed ones red.

    Slow is what took longer than --slow, or else than 95 % of the predictions before it.

    Examples:

      perfcli logs tail -f

      perfcli logs tail -f --slow 50ms

      perfcli logs tail -f --from es+http://localhost:9200 --level WARNING
    """
    import sys
    from functools import partial
    from time import sleep

    from perfcli.logs.slowness import WINDOW, Slowness, shows_colours
    from perfcli.logs.text import as_line, describe

    query = _query(since, level, request_id, limit)
    slowness = Slowness(None if slow is None else read_duration("--slow", slow))
    write = as_line if as_json else describe
    coloured = not as_json and shows_colours(sys.stdout)
    with _opened(place) as source:
        records: Iterable[Record]
        if follow:
            records = source.follow(query, partial(sleep, _FOLLOW_EVERY_S), slowness.remember)
        else:
            found = source.read(replace(query, limit=limit + WINDOW))
            slowness.remember(reversed(found[limit:]))
            records = reversed(found[:limit])
        with stdout_that_may_close():
            for record in records:
                colour = slowness.colour(record) if coloured else None
                typer.echo(write(record) if colour is None else typer.style(write(record), fg=colour), color=coloured)


@logs.command()
def summary(
    place: _From = None,
    since: _Since = None,
    level: _Lowest = None,
    request_id: _Request = None,
    as_json: _Json = False,
) -> None:
    """Summarize all predictions: throughput, percentiles, CPU, memory, and the functions that cost most.

    A percentile of too few samples is written as -. Where predictions were profiled, each line says whether the
    profiler's part is in it.

    Examples:

      perfcli logs summary --since 1h

      perfcli logs summary --from api.log --json
    """
    import sys

    import orjson

    from perfcli.logs.summary import summarize
    from perfcli.logs.text import write_summary

    with _opened(place) as source:
        found = summarize(source.scan(_query(since, level, request_id)))
    with stdout_that_may_close():
        if as_json:
            typer.echo(orjson.dumps(found.document()))
        else:
            write_summary(found, sys.stdout)
            sys.stdout.flush()


@contextmanager
def _opened(place: str | None) -> Iterator[LogSource]:
    from perfcli.hosts import url_of
    from perfcli.logs.sources import open_source
    from perfcli.settings import load_settings
    from perfcli.units import format_count

    settings = load_settings()
    if place is None:
        place = url_of(settings.api_host, settings.api_port)
    with closing(open_source(place, settings)) as source:
        yield source
        if source.broken:
            lines = format_count(source.broken, "broken line was", "broken lines were")
            typer.echo(f"{source.address}: {lines} passed over.", err=True)
        if source.unread:
            records = format_count(source.unread, "older record was", "older records were")
            typer.echo(f"{source.address}: {records} not read; name the store itself with --from.", err=True)


def _query(since: str | None, level: Level | None, request_id: str | None, limit: int | None = None) -> LogQuery:
    from datetime import UTC, datetime

    from perfcli.logs.query import LogQuery, oldest_timestamp

    oldest = None if since is None else oldest_timestamp(since, datetime.now(UTC))
    return LogQuery(oldest, level, request_id, limit)
