"""What a service imports: measure a block, read its metrics, log them; switchable while the service runs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from time import perf_counter_ns
from types import CodeType
from typing import ParamSpec, TypeVar, cast

from perfcli.monitor.block import Block, warn_once
from perfcli.monitor.call_cost import calibrate
from perfcli.monitor.context import CURRENT_BLOCK, CURRENT_REQUEST, Request, belongs_here
from perfcli.monitor.measurement import BlockMeasurement, Measurement
from perfcli.monitor.own_cost import MonitorCost
from perfcli.monitor.sampling import Sampler

P = ParamSpec("P")
R = TypeVar("R")


class Off:
    """The block of a monitor that is switched off; one for all."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        return None


_OFF = Off()


class PerformanceMonitor:
    """Measures predictions without ever being in their way.

    Attributes:
        enabled: Blocks are measured; see `enable` and `disable`.
        add_request_cost: Takes what the monitor took for a request outside of the blocks in it, in nanoseconds.
    """

    def __init__(
        self,
        emit: Callable[[Measurement], None],
        *,
        enabled: bool = False,
        sample_rate: float = 1.0,
        overhead_budget: float | None = None,
    ) -> None:
        """Prepare a monitor.

        Args:
            emit: Takes what is to be logged; called on the request path, so it only queues.
            enabled: Measure from the start.
            sample_rate: Share of the predictions that are profiled deeply, 0 to 1.
            overhead_budget: Part of the serving time that measuring may add, such as 0.01, which deep profiles get what
                is left of; None: no limit.
        """
        self._emit = emit
        self._sampler = Sampler(sample_rate, overhead_budget)
        self._cost = MonitorCost()
        self.add_request_cost = self._cost.add_request
        self.enabled = False
        self._disabled_ns = 0
        if enabled:
            self.enable()

    def enable(self) -> None:
        """Measure the blocks that begin from now on; the first time takes ten milliseconds, to calibrate cProfile."""
        calibrate()
        self.enabled = True

    def calibrate(self, predict: Callable[[], object]) -> None:
        """Learn what cProfile costs from a typical prediction, made some sixty times, before it serves any.

        Does nothing where no prediction is going to be profiled.
        """
        if self.enabled and self._sampler.share > 0:
            self._cost.per_call.calibrate(predict)

    def disable(self) -> None:
        """Measure no more; blocks that have begun are still measured to their end."""
        self.enabled = False
        self._disabled_ns = perf_counter_ns()

    def profile(self) -> Block | Off:
        """Return a context manager that measures its block; a shared one that does nothing when switched off."""
        return Block(self._sampler, self._cost) if self.enabled else _OFF

    def profile_endpoint(self, code: CodeType, request: Request | None = None) -> Block | Off:
        """Do as `profile`, for a caller that stands for others.

        Args:
            code: What is measured, as several share the code that enters the block.
            request: The request that is answered, if the block is neither in a coroutine nor in a generator.
        """
        return Block(self._sampler, self._cost, code, request) if self.enabled else _OFF

    def profiled(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function: each call is measured and logged.

        Inside a request the log waits for the end of the request, because only then the latency is known.

        Raises:
            TypeError: It is a generator function: a call of it only makes the generator.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__} is a generator: measure what it does with profile() in it")
        code = getattr(function, "__code__", None)
        if inspect.iscoroutinefunction(function):

            async def measured_coroutine(*args: P.args, **kwargs: P.kwargs) -> object:
                coroutine = cast("Coroutine[object, object, object]", function(*args, **kwargs))
                if not self.enabled:
                    return await coroutine
                block = Block(self._sampler, self._cost, code)
                try:
                    with block:
                        return await coroutine
                finally:
                    self._log_unless_a_request_does(block)

            # A coroutine that was suspended is not profiled again, and is known by its code.
            measured_coroutine.__code__ = measured_coroutine.__code__.replace()
            return cast("Callable[P, R]", functools.wraps(function)(measured_coroutine))

        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            if not self.enabled:
                return function(*args, **kwargs)
            block = Block(self._sampler, self._cost, code)
            try:
                with block:
                    return function(*args, **kwargs)
            finally:
                self._log_unless_a_request_does(block)

        return measured

    def get_metrics(self) -> dict[str, object] | None:
        """Return the metrics of the last block that ended here; None if there is none, or the monitor is or was off.

        "Here" is this thread and asyncio task, or this request where a middleware has opened one. Asking later changes
        nothing. Reading a profile out takes up to a millisecond; what is logged by a request or by `profiled` is
        read out off the request path instead.
        """
        measurement = self._latest() if self.enabled else None
        return None if measurement is None else measurement.document()

    def log_metrics(self, metrics: Mapping[str, object] | None) -> None:
        """Log metrics, those of `get_metrics` or with fields added; what are no metrics is ignored.

        Inside a request they are logged when it ends, with its latency.
        """
        if metrics is None:
            return
        try:
            measurement = Measurement(dict(metrics))
        except (TypeError, ValueError):
            warn_once("log_metrics takes the mapping that get_metrics returns", exc_info=True)
            return
        request = CURRENT_REQUEST.get()
        if request is not None:
            measurement.transaction_id, measurement.trace_id = request.transaction_id, request.trace_id
            if request.is_open:
                request.logged.append(measurement)
                return
        self.emit(measurement)

    def request(self, transaction_id: str | None = None, trace_id: str | None = None) -> Request:
        """Return a context manager that joins what is measured in it with one request, and logs that at its end.

        A middleware wraps the application in it. Logged is what the handlers gave to `log_metrics`, else every block
        that is not inside another one; the latency is that of the whole request.
        """
        return Request(self, transaction_id, trace_id)

    def emit(self, measurement: Measurement) -> None:
        """Hand a measurement to the log; a failing log is reported once and is no problem of the caller."""
        try:
            self._emit(measurement)
        except Exception:  # noqa: BLE001  # a monitor must not break what it measures
            warn_once("A measurement could not be logged", exc_info=True)

    def cost(self) -> dict[str, object]:
        """Return what watching has cost the requests of this process since its start, JSON-ready."""
        return self._cost.document(self._sampler.rate)

    def _log_unless_a_request_does(self, block: Block) -> None:
        request = CURRENT_REQUEST.get()
        if (request is None or not request.is_open) and block.has_ended and block.claim():
            self.emit(block)

    def _latest(self) -> BlockMeasurement | None:
        latest, request = CURRENT_BLOCK.get(), CURRENT_REQUEST.get()
        if latest is not None and not (latest.has_ended and belongs_here(latest)):
            latest = None
        if request is not None and request.is_open and latest not in request.blocks:
            latest = request.blocks[-1] if request.blocks else None
        # What came after it was not measured.
        return None if latest is None or latest.ended_before(self._disabled_ns) else latest
