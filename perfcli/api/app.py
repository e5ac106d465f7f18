"""Put the inference API together: the model, the monitor, the logs and the bounds around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import Depends, FastAPI

from perfcli import __version__
from perfcli.api.access import token_check
from perfcli.api.docs_page import docs_router
from perfcli.api.errors import add_error_answers
from perfcli.api.health import Phase, health_router
from perfcli.api.instrument import instrument, surround
from perfcli.api.limits import Admission
from perfcli.api.log_page import LogReader, log_router
from perfcli.api.metrics import RequestMetrics, ServiceMetrics, has_workers
from perfcli.api.payload_log import RequestIds, payload_logger, warn_of_unknown_fields
from perfcli.api.performance_page import RecentLog, performance_router
from perfcli.api.predictions import PREDICTION_PATHS, prediction_router
from perfcli.api.predictor import Predictor, load_predictor, make_predictor
from perfcli.api.shared_log import SharedLog
from perfcli.bundled import bundled_path
from perfcli.logs import LogDelivery, MemorySink, open_delivery
from perfcli.logs.library import open_monitor
from perfcli.logs.sources import open_store
from perfcli.monitor import PerformanceMonitor
from perfcli.payloads import Payload, read_payloads
from perfcli.settings import Settings, load_settings

DRAIN_S = 20.0

_REFRESH_S = 1.0
_EXAMPLES = ("malignant", "benign", "batch")


def create_app(
    settings: Settings | None = None, *, model: object | None = None, shared_dir: Path | None = None
) -> FastAPI:
    """Make the application; it is also what `uvicorn --factory perfcli.api.app:create_app` needs.

    Args:
        settings: Those of the environment by default.
        model: A loaded model; by default the one the settings name is loaded.
        shared_dir: Folder in which the workers of one server share their recent logs; None for a single process.

    Raises:
        PerfcliError: A setting is wrong, or the model does not load.
    """
    settings = settings or load_settings()
    predictor = load_predictor(settings) if model is None else make_predictor(model, type(model).__name__)
    recent = recent_log(settings, shared_dir)
    delivery = open_delivery(settings, [recent])
    monitor = open_monitor(settings, delivery)
    metrics = ServiceMetrics(monitor, delivery)
    examples = _examples(predictor)
    phase = Phase()

    app = FastAPI(
        title="perfcli",
        description="Predictions of one model, and the time each of them takes.",
        version=__version__,
        lifespan=_lifespan(predictor, examples, monitor, delivery, metrics, phase),
        # FastAPI's own pages load their scripts from the internet.
        docs_url=None,
        redoc_url=None,
    )
    app.state.monitor = monitor
    app.state.delivery = delivery
    observe = payload_logger(delivery, settings.log_redact) if settings.log_payloads else None
    if settings.log_payloads and shared_dir is None:
        warn_of_unknown_fields(settings.log_redact, predictor.feature_names)
    app.include_router(prediction_router(predictor, settings.api_max_batch_rows, examples, observe))
    app.include_router(health_router(predictor, phase))
    app.include_router(docs_router(app.openapi))
    guard = [Depends(token_check(settings.api_token))]
    app.include_router(log_router(_log_reader(settings, recent)), dependencies=guard)
    app.include_router(performance_router(settings, recent, monitor, delivery, metrics), dependencies=guard)
    add_error_answers(app)
    _surround(app, settings, monitor, metrics)
    return app


def recent_log(settings: Settings, shared_dir: Path | None) -> MemorySink | SharedLog:
    """Open the log that `GET /logs` shows without a store; the workers of one server share it in `shared_dir`."""
    if shared_dir is None:
        return MemorySink(settings.redis_logs_max_size)
    return SharedLog(shared_dir / "logs.sqlite3", settings.redis_logs_max_size)


def _surround(app: FastAPI, settings: Settings, monitor: PerformanceMonitor, metrics: ServiceMetrics) -> None:
    """Put the middleware around the application; the last one added is the first to see a request."""
    app.add_middleware(
        Admission,
        paths=PREDICTION_PATHS,
        max_in_flight=settings.api_max_in_flight,
        max_body_bytes=settings.api_max_body_bytes,
    )
    app.add_middleware(RequestMetrics, metrics=metrics)
    if settings.log_payloads:
        surround(app, partial(RequestIds, monitor=monitor, paths=PREDICTION_PATHS))
    instrument(app, monitor, paths=PREDICTION_PATHS)


def _log_reader(settings: Settings, recent: RecentLog) -> LogReader:
    """Read from the first store that is configured; without one, the recent log of this server."""
    store = next((name for name in settings.logging_handler if name != "stdout"), None)
    return (
        open_store(store, settings).page if store else lambda query, offset: query.page(recent.newest_first(), offset)
    )


def _examples(predictor: Predictor) -> dict[str, Payload]:
    """Return real inputs for the OpenAPI document; there are none for a model of somebody else's."""
    if not predictor.is_embedded:
        return {}
    return {name: read_payloads(str(bundled_path(f"sample_payloads/{name}.json")))[0] for name in _EXAMPLES}


def _lifespan(
    predictor: Predictor,
    examples: dict[str, Payload],
    monitor: PerformanceMonitor,
    delivery: LogDelivery,
    metrics: ServiceMetrics,
    phase: Phase,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    def warm_up() -> None:
        # A first prediction is three times as slow: imports, caches, thread pools.
        for payload in examples.values():
            for method in predictor.methods:
                predictor.call(method, payload)
        example = next(iter(examples.values()), None)
        if example is not None:
            monitor.calibrate(partial(predictor.call, "predict", example))

    async def keep_fresh() -> None:
        # Another worker may be asked for the numbers of this one.
        while has_workers():
            metrics.refresh()
            await asyncio.sleep(_REFRESH_S)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        delivery.start()
        await asyncio.to_thread(warm_up)
        fresh = asyncio.create_task(keep_fresh())
        phase.name = "ready"
        yield
        phase.name = "stopping"
        fresh.cancel()
        await asyncio.to_thread(delivery.close, DRAIN_S)

    return lifespan
