"""What Prometheus scrapes: requests, predictions, the monitor's cost and the fate of log records, in base units."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter
from typing import cast

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perfcli.errors import SettingsError
from perfcli.logs import LogDelivery
from perfcli.monitor import PerformanceMonitor

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WORKERS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ServiceMetrics:
    """The metrics of one process; with several workers their values live in files that any of them can add up.

    Attributes:
        requests: Requests answered, by method, route and status.
        request_seconds: Their durations, by route.
        in_flight: Requests being answered.
    """

    def __init__(self, monitor: PerformanceMonitor, delivery: LogDelivery) -> None:
        """Make the metrics of this process.

        Raises:
            SettingsError: They are to be kept in files, and cannot.
        """
        self._monitor = monitor
        self._delivery = delivery
        self._registry = CollectorRegistry()
        self._seen: dict[tuple[Counter, tuple[str, ...]], float] = {}
        self.requests = self._counter("http_requests", "Requests answered.", "method", "route", "status")
        self.request_seconds = Histogram(
            "perfcli_http_request_duration_seconds",
            "Time from the arrival of a request to the end of its answer.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        try:
            # Of those without labels the first, whose file is opened here.
            self.in_flight = self._gauge("http_requests_in_flight", "Requests being answered.")
        except OSError as error:
            raise SettingsError(
                f"{_WORKERS_DIR}={os.environ.get(_WORKERS_DIR)}: {(error.strerror or str(error)).lower()}.",
                "Unset it, or name a folder that can be written to; perfcli serve makes one for its workers.",
            ) from error
        self._inference = self._counter("inference_seconds", "Time in measured predictions, profiled ones included.")
        self._predictions = self._counter("predictions", "Measured predictions, by why they have no profile.", "reason")
        self._monitor_seconds = self._counter("monitor_seconds", "Time the monitor took on the way of requests.")
        self._profiler_seconds = self._counter("profiler_seconds", "Time that cProfile is estimated to have added.")
        self._log_cpu = self._counter("log_cpu_seconds", "CPU time of the thread that writes and sends log records.")
        self._records = self._counter("log_records", "Log records, by what became of them.", "sink", "outcome")
        self._waiting = self._gauge("log_records_waiting", "Log records in memory, for a sink.", "sink")

    def refresh(self) -> None:
        """Bring the counters up to what the monitor and the delivery count by themselves."""
        cost = self._monitor.cost()
        self._raise_to(self._inference, cast(float, cost["predictions_ms"]) / 1e3)
        self._raise_to(self._monitor_seconds, cast(float, cost["monitor_ms"]) / 1e3)
        self._raise_to(self._profiler_seconds, cast(float, cost["profiler_overhead_ms"]) / 1e3)
        self._raise_to(self._predictions, cast(float, cost["profiled"]), "none")
        for reason, count in cast(dict[str, int], cost["not_profiled"]).items():
            self._raise_to(self._predictions, count, reason)
        delivery = self._delivery.counters()
        self._raise_to(self._log_cpu, delivery.cpu_ms / 1e3)
        for name, sink in delivery.sinks.items():
            for outcome in ("delivered", "dropped", "rejected", "retried", "spooled"):
                self._raise_to(self._records, getattr(sink, outcome), name, outcome)
            self._waiting.labels(name).set(sink.waiting)

    def exposition(self) -> bytes:
        """Write all metrics in the Prometheus text format, of all workers if there are several."""
        self.refresh()
        if not has_workers():
            return generate_latest(self._registry)
        _forget_dead_workers(Path(os.environ[_WORKERS_DIR]))
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # theirs has no types
        return generate_latest(registry)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"perfcli_{name}", help_text, labels, registry=self._registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"perfcli_{name}", help_text, labels, registry=self._registry, multiprocess_mode="livesum")

    def _raise_to(self, counter: Counter, total: float, *labels: str) -> None:
        # An estimate may be corrected downwards; a counter of Prometheus may not.
        more = total - self._seen.get((counter, labels), 0.0)
        if more > 0:
            self._seen[counter, labels] = total
            (counter.labels(*labels) if labels else counter).inc(more)


def has_workers() -> bool:
    """Tell whether this process is one of several workers, whose values prometheus_client keeps in files."""
    return _WORKERS_DIR in os.environ


def _forget_dead_workers(folder: Path) -> None:
    """Remove what only counts while its worker lives: one that was killed did not do it itself."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            # Another worker may be asked at the same time.
            file.unlink(missing_ok=True)


class RequestMetrics:
    """ASGI middleware that counts and times every request under the route it took."""

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; count it when its answer ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = perf_counter()
        # What a server answers to a request that raised.
        status = 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            # The template, never the path: a path of the client's choice would make a time series of its own.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.in_flight.dec()
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(perf_counter() - started_s)
