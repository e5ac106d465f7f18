"""The ready-made monitor of `from perfcli import performance_monitor`, set up by the environment on first use."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from perfcli.logs import LogDelivery, open_delivery
from perfcli.logs.entry import LogEntry
from perfcli.monitor import Measurement, PerformanceMonitor
from perfcli.settings import load_settings

P = ParamSpec("P")
R = TypeVar("R")

if TYPE_CHECKING:
    from perfcli.settings import Settings

    performance_monitor: PerformanceMonitor

    def profiled(function: Callable[P, R]) -> Callable[P, R]:
        """Measure and log each call of a function."""


LOGGER = "perfcli.performance"

_lock = threading.Lock()


def open_monitor(settings: Settings, delivery: LogDelivery) -> PerformanceMonitor:
    """Make a monitor that logs each prediction to a delivery; the metrics are read out in the delivery's thread."""

    def emit(measurement: Measurement) -> None:
        entry = LogEntry(
            measurement.level,
            LOGGER,
            time.time_ns(),
            "prediction",
            measurement.transaction_id,
            measurement.trace_id,
            measurement.log_fields,
        )
        delivery.submit(entry)

    return PerformanceMonitor(
        emit,
        enabled=settings.enable_performance_monitoring,
        sample_rate=settings.performance_sample_rate,
        overhead_budget=settings.performance_overhead_budget,
    )


def flush(timeout_s: float = 5.0) -> None:
    """Have what the ready-made monitor logged so far delivered within this time; nothing if nobody uses it."""
    if _ready_made.cache_info().currsize:
        _ready_made()[1].flush(timeout_s)


def __getattr__(name: str) -> object:
    if name == "performance_monitor":
        with _lock:
            return _ready_made()[0]
    if name == "profiled":
        with _lock:
            return _ready_made()[0].profiled
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


@cache
def _ready_made() -> tuple[PerformanceMonitor, LogDelivery]:
    settings = load_settings(is_guest=True)
    delivery = open_delivery(settings)
    _drain_at_exit(delivery)
    return open_monitor(settings, delivery), delivery


def _drain_at_exit(delivery: LogDelivery) -> None:
    atexit.register(delivery.close)
    # A child of multiprocessing ends without running what is registered with atexit, and begins by forgetting what its
    # parent registered here: so it registers anew.
    from multiprocessing import util

    def drain_in_child(inherited: LogDelivery) -> None:
        util.Finalize(inherited, inherited.close, exitpriority=10)

    util.register_after_fork(delivery, drain_in_child)
