"""Metrics on their way to a log: those of a finished block, or those that somebody hands to `log_metrics`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import NamedTuple

from perfcli.monitor.clocks import Clocks, resident_memory
from perfcli.monitor.deep import SEES_BUILTINS, DeepProfile, NotProfiledError
from perfcli.monitor.functions import count_calls, top_functions
from perfcli.monitor.own_cost import MonitorCost
from perfcli.monitor.sampling import Sampler
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
    """What is measured of every block, in nanoseconds and bytes.

    Attributes:
        wall_ns: Length of the block.
        cpu_ns: CPU time of the thread; None when the block awaited, and others ran in it meanwhile, or when it
            ended in another thread than it began in.
        process_cpu_ns: CPU time of all threads of the process meanwhile.
        rss_bytes: Resident set at the end; without a profile, at most a tenth of a second before it, or when its
            request had been answered.
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


@dataclass(frozen=True, slots=True)
class _Deep:
    """What cProfile found; `reason` says why it found nothing."""

    reason: str | None
    calls: int | None = None
    top: tuple[TopFunction, ...] | None = None
    overhead_ns: float | None = None
    overhead_source: str | None = None


class BlockMeasurement(Measurement):
    """What was read off the clocks of a block, and all that follows from it once somebody asks.

    On the request path nothing but readings is kept: code that has not run since the last prediction, which has thrown
    everything out of the caches, takes ten times what it takes in a loop. The rest is done off it.

    Attributes:
        in_flight: Predictions under way when it began, its own included.
        isolated: No other prediction has been under way together with it so far.
        nested: It ran inside another block.
        cpu_ns: CPU time of its thread, or what its owner knows better; None when it cannot be told.
    """

    __slots__ = (
        "_begun_ns",
        "_code",
        "_cost",
        "_ended_ns",
        "_error",
        "_latency_ns",
        "_light",
        "_lock",
        "_monitor_ns",
        "_profile",
        "_rate",
        "_reason",
        "_rss_begun_bytes",
        "_rss_bytes",
        "_sampler",
        "_undisturbed",
        "cpu_ns",
        "in_flight",
        "isolated",
        "nested",
    )

    _begun_ns: Clocks
    _ended_ns: Clocks
    _code: CodeType | None
    _cost: MonitorCost
    _sampler: Sampler
    _error: type[BaseException] | None
    _latency_ns: int
    _light: Light | None
    _lock: threading.Lock | None
    _monitor_ns: int
    _profile: DeepProfile | None
    _rate: float
    _reason: str | None
    _rss_begun_bytes: int | None
    _rss_bytes: int | None
    _undisturbed: bool

    cpu_ns: int | None
    in_flight: int
    isolated: bool
    nested: bool

    @property
    def light(self) -> Light:
        """What is measured of every block."""
        if self._light is None:
            self._light = self._measure()
        return self._light

    def document(self) -> dict[str, object]:
        """Return the metrics, JSON-ready and flat; the seven of the original system first.

        Takes up to a millisecond the first time: not for the request path.
        """
        self._cost.settle()
        if self._lock is None:
            metrics = self._metrics or _document(self.light, self._without_profile())
        else:
            with self._lock:
                metrics = self._metrics or _document(self.light, self._read_profile())
                self._profile = None
        self._metrics = metrics
        return {**metrics, "latency_ms": _ms(max(self._latency_ns, self.light.wall_ns))}

    def extend_latency(self, latency_ns: int) -> None:
        """Say how long the whole request took that the block was a part of."""
        self._latency_ns = max(self._latency_ns, latency_ns)

    def catch_up(self) -> None:
        """Do what can wait until the request is answered, but no longer."""
        if self._rss_bytes is None:
            self._rss_bytes = resident_memory.recent_bytes(self._ended_ns[0])
        self._cost.settle_if_many()

    def settle(self) -> None:
        """Tell those who learn from it: what it cost, and what a prediction without a profile takes."""
        light = self.light
        assert self._code is not None
        has_ended_well = light.error is None
        # Without a share there is no profile to compare with.
        if self._sampler.share > 0 and has_ended_well and light.undisturbed and light.cpu_ns is not None:
            self._cost.per_call.observe_plain(self._code, light.cpu_ns)
        self._cost.add(light.wall_ns, self._monitor_ns, self._reason)
        if self._sampler.has_budget and has_ended_well:
            self._sampler.observe(light.wall_ns, self._lock is not None, self._monitor_ns)

    def _measure(self) -> Light:
        begun_ns, ended_ns, rss_bytes = self._begun_ns, self._ended_ns, self._rss_bytes
        if rss_bytes is None:
            rss_bytes = resident_memory.recent_bytes(ended_ns[0])
        return Light(
            wall_ns=ended_ns[0] - begun_ns[0],
            cpu_ns=self.cpu_ns,
            process_cpu_ns=ended_ns[2] - begun_ns[2],
            rss_bytes=rss_bytes,
            rss_delta_bytes=None if self._rss_begun_bytes is None else rss_bytes - self._rss_begun_bytes,
            in_flight=self.in_flight,
            isolated=self.isolated,
            nested=self.nested,
            undisturbed=self._undisturbed,
            sample_rate=self._rate,
            error=None if self._error is None else self._error.__qualname__,
        )

    def _without_profile(self) -> _Deep:
        # Nothing was profiled, so nothing is to be taken off; unless somebody else's profile slowed this thread.
        return _Deep(self._reason, overhead_ns=0.0 if self._undisturbed else None)

    def _read_profile(self) -> _Deep:
        if self._profile is None:
            return _Deep(self._reason)
        try:
            entries = self._profile.read()
        except NotProfiledError as error:
            self._cost.add_refusal(str(error))
            return _Deep(str(error))
        return self._with_overhead(_Deep(None, count_calls(entries), top_functions(entries)))

    def _with_overhead(self, deep: _Deep) -> _Deep:
        assert deep.calls is not None
        assert self._code is not None
        if self.light.cpu_ns is not None:
            self._cost.per_call.observe_deep(self._code, self.light.cpu_ns, deep.calls)
        cost = self._cost.per_call.of(self._code)
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
