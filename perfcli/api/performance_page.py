"""GET /performance and GET /metrics: what the predictions cost, and what measuring and logging them costs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Annotated, Protocol

import orjson
from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

from perfcli.api.metrics import ServiceMetrics
from perfcli.api.performance import Metrics, Performance, summarize, unknown
from perfcli.api.shared_log import SharedLog
from perfcli.logs import LogDelivery, Record
from perfcli.logs.query import as_timestamp
from perfcli.monitor import PerformanceMonitor
from perfcli.settings import Settings


class RecentLog(Protocol):
    """The newest records of the service."""

    def newest_first(self) -> list[Record]:
        """Return all that are kept."""
        ...


class PerformanceReport(Performance):
    """Recent predictions, and the cost of watching them."""

    monitoring: bool
    monitor: dict[str, object] = Field(
        description="What the monitor cost the requests to the process that answered, since its start: before and "
        "after predictions, for ids, headers and the log (`monitor_ms`), and what cProfile is estimated to have added."
    )
    delivery: dict[str, object] = Field(description="What became of its log records, and the CPU time that took.")


def performance_router(
    settings: Settings, recent: RecentLog, monitor: PerformanceMonitor, delivery: LogDelivery, metrics: ServiceMetrics
) -> APIRouter:
    """Make the routes; predictions are summarized from the recent log."""
    router = APIRouter(tags=["observability"])
    started_s = monotonic()

    @router.get("/performance")
    def performance(
        window_s: Annotated[float, Query(gt=0, le=86_400, description="Time to look back on.")] = 300.0,
    ) -> PerformanceReport:
        """Summarize the predictions of a recent window."""
        kept = recent.newest_first()
        now = datetime.now(UTC)
        is_cut = len(kept) >= settings.redis_logs_max_size or (isinstance(recent, SharedLog) and recent.has_forgotten())
        predictions, covered_s = look_back(kept, now, window_s, monotonic() - started_s, is_cut)
        reason = _why_not_logged(settings, is_off=not (monitor.enabled or predictions))
        seen = summarize(predictions, covered_s) if reason is None else unknown(reason, covered_s)
        return PerformanceReport(
            **seen.model_dump(),
            monitoring=monitor.enabled,
            monitor=monitor.cost(),
            delivery=delivery.counters().document(),
        )

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    def prometheus_metrics() -> Response:
        """Expose the metrics of all workers in the Prometheus text format."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    return router


def _why_not_logged(settings: Settings, *, is_off: bool) -> str | None:
    if is_off:
        return "The monitoring is off."
    if logging.getLevelNamesMapping()[settings.log_level] > logging.INFO:
        return f"LOG_LEVEL={settings.log_level} keeps predictions that did not fail, which are INFO, out of the log."
    return None


def look_back(
    kept: Sequence[Record], now: datetime, window_s: float, uptime_s: float, is_cut: bool
) -> tuple[list[Metrics], float]:
    """Return the metrics of recent predictions, and of how many seconds until now they are all that there were.

    Args:
        kept: The records that are kept.
        now: The moment, UTC.
        window_s: Seconds to look back at most.
        uptime_s: Seconds since the process started.
        is_cut: There were older records, which are gone.
    """
    # The others are from before the clock was set back: how long ago that was, nobody knows.
    known = [record for record in kept if record.timestamp <= as_timestamp(now)]
    oldest = min((datetime.fromisoformat(record.timestamp) for record in known), default=now)
    is_complete = not is_cut and len(known) == len(kept)
    complete_since = min(oldest, now - timedelta(seconds=uptime_s)) if is_complete else oldest
    begin = max(complete_since, now - timedelta(seconds=window_s))
    since = as_timestamp(begin)
    documents = [orjson.loads(record.line) for record in known if record.timestamp >= since]
    metrics = [document["performance_metrics"] for document in documents if "performance_metrics" in document]
    return metrics, (now - begin).total_seconds()
