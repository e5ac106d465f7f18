"""A file for the records that a store will never take, so that a person can see what was wrong with them."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import orjson

from perfcli.logs.batch import Rejection

_logger = logging.getLogger("perfcli.logs")


class DeadLetters:
    """Appends rejected records to one file of JSON lines, up to a size."""

    def __init__(self, path: Path, max_bytes: int = 16 * 2**20) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._has_warned = False

    def append(self, rejections: Sequence[Rejection]) -> None:
        """Write the records with their reasons; a disk that fails or is full is said once."""
        data = b"".join(
            orjson.dumps({"reason": rejection.reason, "record": orjson.Fragment(rejection.record.line.rstrip())})
            + b"\n"
            for rejection in rejections
        )
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                if os.fstat(fd).st_size + len(data) <= self._max_bytes:
                    os.write(fd, data)
                else:
                    self._warn("it is full")
            finally:
                os.close(fd)
        except OSError as error:
            self._warn(error.strerror or "disk error")

    def _warn(self, reason: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _logger.warning("Cannot write rejected log records to %s: %s.", self._path, reason)
