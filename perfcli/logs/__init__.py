"""A metrics record on its way out: JSON lines, a bounded queue, one writer, several stores; and how it is read back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from perfcli.logs.batch import Batch, Receipt, Rejection, Sink, StoreDownError, StoreRefusedError
from perfcli.logs.counters import DeliveryCounters, SinkCounters
from perfcli.logs.delivery import LogDelivery
from perfcli.logs.entry import LogEntry, Record
from perfcli.logs.sinks import SINKS, make_sink
from perfcli.logs.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcli.settings import Settings

_logger = logging.getLogger("perfcli.logs")

__all__ = [
    "SINKS",
    "Batch",
    "DeliveryCounters",
    "LogDelivery",
    "LogEntry",
    "MemorySink",
    "Receipt",
    "Record",
    "Rejection",
    "Sink",
    "SinkCounters",
    "StoreDownError",
    "StoreRefusedError",
    "open_delivery",
]


def open_delivery(settings: Settings, extra_sinks: Sequence[Sink] = ()) -> LogDelivery:
    """Open what `LOGGING_HANDLER` names; nothing connects before the first entry.

    Args:
        settings: Names, addresses and limits.
        extra_sinks: Fed as well, such as a `MemorySink` that serves `/logs`.

    Raises:
        SettingsError: An address cannot be one.
        MissingExtraError: The packages of a sink are not installed.
    """
    sinks = [*(make_sink(name, settings) for name in settings.logging_handler), *extra_sinks]
    if settings.log_spool_dir is None and any(sink.durable for sink in sinks):
        _logger.warning("Without a home folder log records wait for their store in memory only: set LOG_SPOOL_DIR.")
    return LogDelivery(
        sinks,
        logging.getLevelNamesMapping()[settings.log_level],
        capacity=settings.log_queue_size,
        spool_dir=settings.log_spool_dir,
        spool_max_bytes=settings.log_spool_max_bytes,
    )
