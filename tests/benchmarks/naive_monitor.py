"""The obvious way to build such a monitor, as the thing to compare with: one object, pstats, a difference of two RSS.

It measures what the monitor of the original system is described to measure, in the way its description suggests.
"""

from __future__ import annotations

import cProfile
import io
import json
import pstats
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


class NaiveMonitor:
    """Keeps the state of "the" prediction on itself, so it serves one at a time; from Python 3.12 on two break it."""

    def __init__(self) -> None:
        """Measure this process."""
        self._process = psutil.Process()
        self._profiler: cProfile.Profile | None = None
        self._begun_s = 0.0
        self._rss_bytes = 0

    @contextmanager
    def profile(self) -> Iterator[None]:
        """Profile the block."""
        self._rss_bytes = self._process.memory_info().rss
        self._begun_s = time.perf_counter()
        self._profiler = cProfile.Profile()
        self._profiler.enable()
        try:
            yield
        finally:
            self._profiler.disable()

    def get_metrics(self) -> dict[str, object]:
        """Evaluate the last block, up to this moment."""
        duration_ms = (time.perf_counter() - self._begun_s) * 1e3
        rss_bytes = self._process.memory_info().rss
        stats = pstats.Stats(self._profiler, stream=io.StringIO())
        stats.strip_dirs()
        stats.sort_stats("cumulative")
        rows = stats.stats.items()  # type: ignore[attr-defined]
        top = [
            {
                "function": name,
                "file": file,
                "line": line,
                "cumulative_time_ms": round(row[3] * 1e3, 2),
                "total_time_ms": round(row[2] * 1e3, 2),
                "calls": row[1],
            }
            for (file, line, name), row in sorted(rows, key=lambda item: item[1][3], reverse=True)[:5]
        ]
        return {
            "inference_time_ms": round(duration_ms, 2),
            "cpu_time_ms": round(sum(row[2] for _, row in rows) * 1e3, 2),
            "memory_mb": round(rss_bytes / 2**20, 2),
            "memory_delta_mb": round((rss_bytes - self._rss_bytes) / 2**20, 2),
            "function_calls": sum(row[1] for _, row in rows),
            "latency_ms": round(duration_ms, 2),
            "top_functions": top,
        }

    def log_metrics(self, metrics: dict[str, object]) -> str:
        """Format the line; where it goes is not compared here."""
        return json.dumps({"performance_metrics": metrics})
