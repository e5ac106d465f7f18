"""Metrics on their way to a log: those of a finished block, or those that somebody hands to `log_metrics`."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import NamedTuple, cast

from perfcli.monitor.deep import SEES_BUILTINS, DeepProfile, NotProfiledError
from perfcli.monitor.functions import count_calls, top_functions
from perfcli.monitor.own_cost import MonitorCost
from perfcli.records import TopFunction
from perfcli.units import to_mebibytes, to_milliseconds


class Measurement:
    """Metrics and the request they belong to.

    Attributes:
        transaction_id: Id of the request; None outside of requests.
        trace_id: W3C trace of the request; None when it came without one.
    """

    __slots__ = ("_metrics", "trace_id", "transaction_id")

    def __init__(
        self,
        metrics: Mapping[str, object] | None = None,
        transaction_id: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        self._metrics: Mapping[str, object] | None = metrics
        self.transaction_id = transaction_id
        self.trace_id = trace_id

    def document(self) -> dict[str, object]:
        """Return the metrics, JSON-ready and flat; the caller may do with the dict what he likes."""
        return dict(self._metrics or {})

    def extend_latency(self, latency_ns: int) -> None:
        """Say how long the whole request took; the latency in the document never becomes shorter by it."""
        latency_ms = _ms(latency_ns)
        known_ms = (self._metrics or {}).get("latency_ms")
        if not isinstance(known_ms, int | float) or known_ms < latency_ms:
            self._metrics = {**(self._metrics or {}), "latency_ms": latency_ms}


class Light(NamedTuple):
    """What is measured of every block, in nanoseconds and bytes; a tuple, because a dataclass takes 3 us to make.

    Attributes:
        wall_ns: Length of the block.
        cpu_ns: CPU time of the thread; None when the block awaited, and others ran in it meanwhile, or when it
            ended in another thread than it began in.
        process_cpu_ns: CPU time of all threads of the process meanwhile.
        rss_bytes: Resident set at the end; without a profile, at most a tenth of a second before it.
        rss_delta_bytes: Growth of the resident set; None without a profile, as a second look would cost more than all
            else that is measured.
        in_flight: Blocks that were open when this one began, itself included.
        isolated: No other prediction was in flight at any moment of the block.
        nested: It ran inside another block.
        undisturbed: No other prediction was being profiled when it began or ended; that slows all threads.
        sample_rate: Probability with which it was chosen to be profiled.
        error: Type of the exception that ended the block; its text may hold a payload, and is not kept.
    """

    wall_ns: int
    cpu_ns: int | None
    process_cpu_ns: int
    rss_bytes: int
    rss_delta_bytes: int | None
    in_flight: int
    isolated: bool
    nested: bool
    undisturbed: bool
    sample_rate: float
    error: str | None


# What the class would do, without the function in Python that it does it in.
light_of = cast("Callable[[tuple[object, ...]], Light]", functools.partial(tuple.__new__, Light))
"""Make a `Light` of its fields in their order."""


@dataclass(frozen=True, slots=True)
class _Deep:
    """What cProfile found; `reason` says why it found nothing."""

    reason: str | None
    calls: int | None = None
    top: tuple[TopFunction, ...] | None = None
    overhead_ns: float | None = None
    overhead_source: str | None = None


class BlockMeasurement(Measurement):
    """A finished block. The expensive part is done by the first call of `document`, in the thread that calls it.

    Attributes:
        light: What is measured of every block.
    """

    __slots__ = ("_block", "_cost", "_latency_ns", "_lock", "_profile", "_reason", "light")

    def __init__(
        self, light: Light, block: CodeType, cost: MonitorCost, profile: DeepProfile | None, reason: str | None
    ) -> None:
        # Not by the class above: a call more takes longer than what it does.
        self._metrics = self.transaction_id = self.trace_id = None
        self.light = light
        self._block = block
        self._cost = cost
        self._profile = profile
        self._reason = reason
        self._latency_ns = light.wall_ns
        self._lock = threading.Lock()

    def document(self) -> dict[str, object]:
        """Return the metrics, JSON-ready and flat; the seven of the original system first.

        Takes up to a millisecond the first time: not for the request path.
        """
        with self._lock:
            if self._metrics is None:
                self._metrics = _document(self.light, self._read_profile())
                self._profile = None
            return {**self._metrics, "latency_ms": _ms(self._latency_ns)}

    def extend_latency(self, latency_ns: int) -> None:
        """Say how long the whole request took that the block was a part of."""
        self._latency_ns = max(self._latency_ns, latency_ns)

    def _read_profile(self) -> _Deep:
        if self._profile is None:
            # Nothing was profiled, so nothing is to be taken off; unless somebody else's profile slowed this thread.
            unprofiled = self.light.undisturbed and self._reason is not None
            return _Deep(self._reason, overhead_ns=0.0 if unprofiled else None)
        try:
            entries = self._profile.read()
        except NotProfiledError as error:
            self._cost.add_refusal(str(error))
            return _Deep(str(error))
        return self._with_overhead(_Deep(None, count_calls(entries), top_functions(entries)))

    def _with_overhead(self, deep: _Deep) -> _Deep:
        assert deep.calls is not None
        if self.light.cpu_ns is not None:
            self._cost.per_call.observe_deep(self._block, self.light.cpu_ns, deep.calls)
        cost = self._cost.per_call.of(self._block)
        if cost is None or cost.ns * deep.calls >= self.light.wall_ns:
            return deep
        overhead_ns = cost.ns * deep.calls
        self._cost.add_overhead(overhead_ns)
        return replace(deep, overhead_ns=overhead_ns, overhead_source=cost.source)


def _document(light: Light, deep: _Deep) -> dict[str, object]:
    return {
        "inference_time_ms": _ms(light.wall_ns),
        "cpu_time_ms": None if light.cpu_ns is None else _ms(light.cpu_ns),
        "memory_mb": to_mebibytes(light.rss_bytes),
        "memory_delta_mb": None if light.rss_delta_bytes is None else to_mebibytes(light.rss_delta_bytes),
        "function_calls": deep.calls,
        "latency_ms": _ms(light.wall_ns),
        "top_functions": None if deep.top is None else [_function_document(function) for function in deep.top],
        "profiled": deep.calls is not None,
        "reason": deep.reason,
        "isolated": light.isolated,
        "counts_builtins": None if deep.calls is None else SEES_BUILTINS,
        "profiler_overhead_ms": None if deep.overhead_ns is None else _ms(deep.overhead_ns),
        "profiler_overhead_source": deep.overhead_source,
        "corrected_time_ms": None if deep.overhead_ns is None else _ms(light.wall_ns - deep.overhead_ns),
        "process_cpu_time_ms": _ms(light.process_cpu_ns),
        "wait_ms": None if light.cpu_ns is None else _ms(max(0, light.wall_ns - light.cpu_ns)),
        "in_flight": light.in_flight,
        "sample_rate": light.sample_rate,
        "error": light.error,
    }


def _function_document(function: TopFunction) -> dict[str, object]:
    return {
        "function": function.function,
        "file": function.file,
        "line": function.line,
        "cumulative_time_ms": to_milliseconds(function.cumulative_time_s),
        "total_time_ms": to_milliseconds(function.total_time_s),
        "calls": function.calls,
    }


def _ms(nanoseconds: float) -> float:
    return to_milliseconds(nanoseconds / 1e9)
