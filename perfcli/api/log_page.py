"""GET /logs: the log records of the service, filtered and a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import orjson
from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from perfcli.errors import MeasurementError, UsageError
from perfcli.logs.query import LogQuery, RecordPage, oldest_timestamp
from perfcli.settings import LogLevel

LogReader: TypeAlias = Callable[[LogQuery, int], RecordPage]
"""Returns the records that follow so many of those asked for, the newest first."""


class LogPage(BaseModel):
    """Some of the log records, the newest first."""

    total: int = Field(description="Records that match, on all pages.")
    limit: int
    offset: int
    logs: list[dict[str, object]]


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
        level: Annotated[LogLevel | None, Query(description="Lowest level.")] = None,
        request_id: Annotated[str | None, Query(max_length=128, description="`X-Request-ID` of one request.")] = None,
    ) -> LogPage:
        """Show the log records, the newest first."""
        try:
            found = read(LogQuery(_oldest(since), level, request_id, limit), offset)
        except MeasurementError as error:
            raise HTTPException(503, error.message) from error
        logs = [orjson.loads(record.line) for record in found.records]
        return LogPage(total=found.total, limit=limit, offset=offset, logs=logs)

    return router


def _oldest(since: str | None) -> str | None:
    try:
        return None if since is None else oldest_timestamp(since, datetime.now(UTC))
    except (UsageError, OverflowError) as error:
        problem = {"loc": ["query", "since"], "msg": str(error), "type": "since"}
        raise HTTPException(422, [problem]) from None
