"""What Prometheus scrapes: requests, predictions, the monitor's cost and the fate of log records, in base units."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ServiceMetrics:
    """The metrics of one application; with several workers their values live in files that any of them can add up."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "perfcli_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.request_seconds = Histogram(
            "perfcli_http_request_duration_seconds",
            "Time from the arrival of a request to the end of its answer.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "perfcli_http_requests_in_flight",
            "Requests being answered.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._totals: dict[tuple[str, tuple[str, ...]], float] = {}
        self._counters: dict[str, Counter] = {}

    def follow(self, name: str, help_text: str, totals: Mapping[tuple[tuple[str, str], ...], float]) -> None:
        """Bring a counter up to totals that are counted elsewhere, one for each set of labels."""
        for labels, total in totals.items():
            counter = self._counters.get(name)
            if counter is None:
                label_names = tuple(label for label, _ in labels)
                counter = self._counters[name] = Counter(name, help_text, label_names, registry=self._registry)
            values = tuple(value for _, value in labels)
            before = self._totals.get((name, values), 0.0)
            (counter.labels(*values) if values else counter).inc(max(0.0, total - before))
            self._totals[name, values] = total

    def exposition(self) -> bytes:
        """Write all metrics in the Prometheus text format, of all workers if there are several."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


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
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(perf_counter() - started_s)
