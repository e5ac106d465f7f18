"""GET /logs: the recent log records, filtered and a page at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeAlias, cast

import orjson
from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from perfcli.errors import UsageError
from perfcli.units import parse_duration

LogDocument: TypeAlias = dict[str, object]
LogReader: TypeAlias = Callable[[], Sequence[bytes]]
"""Returns log lines, the newest first."""

Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class LogPage(BaseModel):
    """Some of the recent log records, the newest first."""

    total: int = Field(description="Records that match, on all pages.")
    limit: int
    offset: int
    logs: list[LogDocument]


def log_router(read: LogReader) -> APIRouter:
    """Make the route that shows the records `read` returns."""
    router = APIRouter(tags=["observability"])

    @router.get("/logs")
    def logs(
        limit: Annotated[int, Query(ge=1, le=1000, description="Records on the page.")] = 100,
        offset: Annotated[int, Query(ge=0, le=2**31, description="Newer records to pass over.")] = 0,
        since: Annotated[
            str | None,
            Query(max_length=64, description="Oldest moment (ISO 8601, UTC without an offset) or age (`5m`, `30s`)."),
        ] = None,
        level: Annotated[Level | None, Query(description="Lowest level.")] = None,
        request_id: Annotated[str | None, Query(max_length=128, description="`X-Request-ID` of one request.")] = None,
    ) -> LogPage:
        """Show the recent log records, the newest first."""
        matching = select(read(), _oldest_timestamp(since, time.time()), level, request_id)
        return LogPage(total=len(matching), limit=limit, offset=offset, logs=matching[offset : offset + limit])

    return router


def select(
    lines: Sequence[bytes], oldest: str | None = None, level: Level | None = None, request_id: str | None = None
) -> list[LogDocument]:
    """Parse log lines and keep those that are not older, not of a lower level, and of this request."""
    lowest = 0 if level is None else logging.getLevelNamesMapping()[level]
    return [document for line in lines if _matches(document := orjson.loads(line), oldest, lowest, request_id)]


def _matches(document: Mapping[str, object], oldest: str | None, lowest: int, request_id: str | None) -> bool:
    # Timestamps all have the same form, so the order of the texts is the order in time.
    return (
        (oldest is None or cast(str, document["timestamp"]) >= oldest)
        and logging.getLevelNamesMapping().get(cast(str, document["level"]), 0) >= lowest
        and (request_id is None or document["transaction_id"] == request_id)
    )


def _oldest_timestamp(since: str | None, now_s: float) -> str | None:
    """Turn an age or a moment into the form that log records carry; None for no bound."""
    if since is None:
        return None
    try:
        moment = datetime.fromtimestamp(now_s, UTC) - timedelta(seconds=parse_duration(since))
    except UsageError:
        moment = _moment(since)
    except OverflowError:
        return None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        problem = {
            "loc": ["query", "since"],
            "msg": "Input should be a moment such as 2026-01-31T12:00:00Z or an age such as 5m",
            "type": "since",
        }
        raise HTTPException(422, [problem]) from None
