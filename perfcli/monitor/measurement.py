"""Metrics on their way to a log: those of a finished block, or those that somebody hands to `log_metrics`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from types import CodeType
from typing import NamedTuple

from perfcli.monitor.clocks import Clocks, resident_memory
from perfcli.monitor.deep import DeepProfile, NotProfiledError
from perfcli.monitor.functions import count_calls, top_functions
from perfcli.monitor.own_cost import MonitorCost, without_waits
from perfcli.monitor.sampling import Sampler
from perfcli.records import TopFunction
from perfcli.units import to_milliseconds


class Measurement:
    """Metrics and the request they belong to.

    Attributes:
        transaction_id: Id of the request; None outside of requests.
        trace_id: W3C trace of the request; None when it came without one.
        level: That of its line in the log, as `logging` has them: an error for a prediction that failed.
    """

    level: int = logging.INFO
    _is_claimed: bool = False

    def __init__(
        self,
        metrics: Mapping[str, object] | None = None,
        transaction_id: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        self._metrics: Mapping[str, object] | None = metrics
        self.transaction_id = transaction_id
        self.trace_id = trace_id
        if metrics is not None and metrics.get("error") is not None:
            self.level = logging.ERROR

    def claim(self) -> bool:
        """Tell whether to log it: a block that ends together with its request would be logged by both."""
        is_first, self._is_claimed = not self._is_claimed, True
        return is_first

    def document(self) -> dict[str, object]:
        """Return the metrics, JSON-ready and flat; the caller may do with the dict what he likes."""
        return dict(self._metrics or {})

    def log_fields(self) -> dict[str, object]:
        """Return the metrics where they are in a log record."""
        return {"performance_metrics": self.document()}

    def extend_latency(self, latency_ns: int) -> None:
        """Say how long the whole request took; the latency in the document never becomes shorter by it."""
        latency_ms = latency_ns / _NS_PER_MS
        known_ms = (self._metrics or {}).get("latency_ms")
        if not isinstance(known_ms, int | float) or known_ms < latency_ms:
            self._metrics = {**(self._metrics or {}), "latency_ms": latency_ms}


def level_of(error: BaseException | None) -> int:
    """Return the level of a prediction that ended so: to refuse a wrong input is no error of the service."""
    is_answer = any(each.__name__ == "HTTPException" for each in type(error).__mro__)
    status = getattr(error, "status_code", 500) if is_answer else 500
    return logging.WARNING if status < 500 else logging.ERROR


class _Deep(NamedTuple):
    """What cProfile found; `failure` says why it found nothing after all."""

    failure: str | None = None
    calls: int | None = None
    top: tuple[TopFunction, ...] | None = None
    overhead_ns: float | None = None
    overhead_source: str | None = None


# Nothing was profiled, so nothing is to be taken off; unless somebody else's profile slowed the thread.
_UNPROFILED = _Deep(overhead_ns=0.0)
_SLOWED = _Deep()


class BlockMeasurement(Measurement):
    """What was read off the clocks of a block, and all that follows from it once somebody asks.

    On the request path nothing but readings is kept: code that has not run since the last prediction, which has thrown
    everything out of the caches, takes ten times what it takes in a loop. The rest is done off it.

    Attributes:
        in_flight: Predictions under way when it began, its own included.
        isolated: No other prediction has been under way together with it; known at its end.
        nested: It ran inside another block.
        cpu_ns: CPU time of the thread where its owner knows better than the clocks; else None.
    """

    # What is the same for most of them is said here and not by each.
    transaction_id: str | None = None
    trace_id: str | None = None
    cpu_ns: int | None = None
    in_flight: int = 1
    isolated: bool = True
    nested: bool = False
    _deep: _Deep | None = None
    _reason: str | None = None
    _profile: DeepProfile | None = None
    _lock: threading.Lock | None = None
    _rss_begun_bytes: int | None = None
    _latency_ns: int = 0
    # Nothing else ran in the thread meanwhile, and the block ended in the one it began in.
    _owns_thread_time: bool = True
    # In the order they are read: wall, process, thread, and at the end the other way round.
    _begun_ns: Clocks
    _ended_ns: Clocks | None
    _error: type[BaseException] | None = None

    _code: CodeType | None
    _cost: MonitorCost
    _monitor_ns: int
    _rate: float
    _rss_bytes: int | None
    _sampler: Sampler
    _undisturbed: bool

    def document(self) -> dict[str, object]:
        """Return the metrics, JSON-ready and flat; the seven of the original system first.

        Takes up to a millisecond the first time: not for the request path.
        """
        self._cost.settle()
        if self._lock is None:
            deep = _UNPROFILED if self._undisturbed else _SLOWED
        else:
            # To read a profile out is to empty it: who comes second finds what was in it.
            with self._lock:
                self._deep = deep = self._deep or self._read_profile()
                self._profile = None
        return self._describe(deep)

    def extend_latency(self, latency_ns: int) -> None:
        """Say how long the whole request took that the block was a part of; it is answered now."""
        self._latency_ns = latency_ns
        self._read_memory()

    def catch_up(self) -> None:
        """Do what can wait until the block has ended, but no longer; may be called twice."""
        self._read_memory()
        self._cost.settle_if_many()

    def settle(self) -> None:
        """Tell those who learn from it: what it cost, and what a prediction without a profile takes."""
        wall_ns, has_ended_well = self._wall_ns(), self._error is None
        # Without a share there is no profile to compare with.
        if self._sampler.share > 0 and has_ended_well and self._undisturbed:
            cpu_ns = self._thread_cpu_ns()
            if cpu_ns is not None:
                assert self._code is not None
                self._cost.per_call.observe_plain(self._code, cpu_ns)
        own_ns = without_waits(self._monitor_ns)
        self._cost.add(wall_ns, own_ns, self._reason)
        if self._sampler.has_budget and has_ended_well:
            self._sampler.observe(wall_ns, self._lock is not None, own_ns)

    def _read_memory(self) -> int:
        if self._rss_bytes is None:
            assert self._ended_ns is not None
            self._rss_bytes = resident_memory.recent_bytes(self._ended_ns[2])
        return self._rss_bytes

    def _wall_ns(self) -> int:
        assert self._ended_ns is not None
        return self._ended_ns[2] - self._begun_ns[0]

    def _thread_cpu_ns(self) -> int | None:
        """Return its CPU time; None when it awaited, and others ran in the thread, or ended in another thread."""
        if self.cpu_ns is not None or not self._owns_thread_time:
            return self.cpu_ns
        assert self._ended_ns is not None
        return _forwards(self._begun_ns[2], self._ended_ns[0])

    def _describe(self, deep: _Deep) -> dict[str, object]:
        assert self._ended_ns is not None
        wall_ns, cpu_ns = self._wall_ns(), self._thread_cpu_ns()
        wall_ms = wall_ns / _NS_PER_MS
        process_cpu_ns = _forwards(self._begun_ns[1], self._ended_ns[1])
        rss_bytes = self._read_memory()
        # Without a profile a second look at the memory would cost more than all else that is measured.
        begun_bytes = self._rss_begun_bytes
        overhead_ns = deep.overhead_ns
        return {
            "inference_time_ms": wall_ms,
            "cpu_time_ms": None if cpu_ns is None else cpu_ns / _NS_PER_MS,
            "memory_mb": rss_bytes / _BYTES_PER_MB,
            "memory_delta_mb": None if begun_bytes is None else (rss_bytes - begun_bytes) / _BYTES_PER_MB,
            "function_calls": deep.calls,
            "latency_ms": max(self._latency_ns, wall_ns) / _NS_PER_MS,
            "top_functions": None if deep.top is None else [_function_document(function) for function in deep.top],
            "profiled": deep.calls is not None,
            "reason": self._reason or deep.failure,
            "isolated": self.isolated,
            "profiler_overhead_ms": to_milliseconds(overhead_ns / 1e9) if overhead_ns else overhead_ns,
            "profiler_overhead_source": deep.overhead_source,
            "corrected_time_ms": _corrected_ms(wall_ns, overhead_ns) if overhead_ns != 0 else wall_ms,
            "process_cpu_time_ms": None if process_cpu_ns is None else process_cpu_ns / _NS_PER_MS,
            "wait_ms": None if cpu_ns is None else max(0, wall_ns - cpu_ns) / _NS_PER_MS,
            "in_flight": self.in_flight,
            "sample_rate": self._rate,
            # The type only: its text may hold a payload.
            "error": None if self._error is None else self._error.__qualname__,
        }

    def _read_profile(self) -> _Deep:
        if self._profile is None:
            return _Deep()
        try:
            entries = self._profile.read()
        except NotProfiledError as error:
            self._cost.add_refusal(str(error))
            return _Deep(failure=str(error))
        return self._with_overhead(_Deep(None, count_calls(entries), top_functions(entries)))

    def _with_overhead(self, deep: _Deep) -> _Deep:
        assert deep.calls is not None
        assert self._code is not None
        cpu_ns = self._thread_cpu_ns()
        if cpu_ns is not None:
            self._cost.per_call.observe_deep(self._code, cpu_ns, deep.calls)
        cost = self._cost.per_call.of(self._code)
        if cost is None or cost.ns * deep.calls >= self._wall_ns():
            return deep
        overhead_ns = cost.ns * deep.calls
        self._cost.add_overhead(overhead_ns)
        return deep._replace(overhead_ns=overhead_ns, overhead_source=cost.source)


def _forwards(begun_ns: int, ended_ns: int) -> int | None:
    """Return the time between; None when it was another clock, of a forked child or a new thread with an old number."""
    return ended_ns - begun_ns if ended_ns >= begun_ns else None


# Whole nanoseconds, and whole pages, have few decimals as they are; to round them takes longer than all else here.
_NS_PER_MS = 1e6
_BYTES_PER_MB = 2**20


def _function_document(function: TopFunction) -> dict[str, object]:
    return {
        "function": function.function,
        "file": function.file,
        "line": function.line,
        "cumulative_time_ms": to_milliseconds(function.cumulative_time_s),
        "total_time_ms": to_milliseconds(function.total_time_s),
        "calls": function.calls,
    }


def _corrected_ms(wall_ns: int, overhead_ns: float | None) -> float | None:
    return None if overhead_ns is None else to_milliseconds((wall_ns - overhead_ns) / 1e9)
