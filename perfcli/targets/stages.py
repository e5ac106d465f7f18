"""Time the stages of a prediction: a stopwatch, and wrappers that feed it while a block runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from threading import get_ident
from time import perf_counter_ns
from types import ModuleType

from perfcli.targets.pipeline_steps import find_steps
from perfcli.targets.protocol import StageTime
from perfcli.targets.stage_functions import StageFunction

# A stage with more inputs than this in one prediction runs row by row, which is no accidental repetition.
_MAX_DISTINCT_INPUTS = 8
_PLAIN = (str, int, float, bool, bytes)
_METHODS = (
    "transform",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
    "inverse_transform",
)


class _Call:
    """One run of a stage: what it got, and its time without the stages inside it."""

    __slots__ = ("arguments", "function", "keywords", "self_ns", "stage")

    def __init__(
        self, stage: str, function: object, arguments: tuple[object, ...], keywords: Mapping[str, object]
    ) -> None:
        self.stage = stage
        self.function = function
        self.arguments = arguments
        self.keywords = keywords
        self.self_ns = 0


class StageStopwatch:
    """Splits the time of one thread between the stages it is in; the innermost has it, so that no time counts twice.

    Time in a stage that calls itself counts once, and calls from other threads belong to the stage that waits for them.
    """

    __slots__ = ("_calls", "_clock", "_last_ns", "_stack", "_thread")

    def __init__(self, clock: Callable[[], int] = perf_counter_ns) -> None:
        self._clock = clock
        self._thread = get_ident()
        self._calls: list[_Call] = []
        self._stack = [_Call("", None, (), {})]
        self._last_ns = 0

    def wrap(self, stage: str, function: Callable[..., object]) -> Callable[..., object]:
        """Return the function with its calls timed as this stage."""
        clock, thread, calls, stack = self._clock, self._thread, self._calls, self._stack

        # wraps() matters: scikit-learn decides by the `__name__` of a method what its answer means.
        @wraps(function)
        def timed(*arguments: object, **keywords: object) -> object:
            if get_ident() != thread or stack[-1].stage is stage:
                return function(*arguments, **keywords)
            call = _Call(stage, function, arguments, keywords)
            calls.append(call)
            now = clock()
            stack[-1].self_ns += now - self._last_ns
            self._last_ns = now
            stack.append(call)
            try:
                return function(*arguments, **keywords)
            finally:
                now = clock()
                call.self_ns += now - self._last_ns
                self._last_ns = now
                stack.pop()

        return timed

    def take(self) -> Mapping[str, StageTime]:
        """Return the stages since the last call of `take`, in the order they first ran, and start anew.

        A run repeats an earlier one when the same function got the same objects, or equal arrays or frames. That is
        decided here, after the prediction, so that comparing costs it nothing.
        """
        by_stage: dict[str, list[_Call]] = {}
        for call in self._calls:
            by_stage.setdefault(call.stage, []).append(call)
        # Emptied in place: the wrappers hold this very list.
        self._calls.clear()
        return {stage: _stage_time(calls) for stage, calls in by_stage.items()}


@contextmanager
def timed_stages(
    model: object, method: str, functions: Sequence[StageFunction], clock: Callable[[], int] = perf_counter_ns
) -> Iterator[StageStopwatch]:
    """Time the steps found in a model, and these functions, for the calls made by this thread inside the block.

    The wrappers stand in the instance dictionaries of the steps and wherever the functions are held; everything is as
    it was when the block ends.
    """
    stopwatch = StageStopwatch(clock)
    steps = find_steps(model)
    taken = {step.name for step in steps}
    with ExitStack() as undo:
        for step in steps:
            for name in dict.fromkeys((*_METHODS, method)):
                original = getattr(step.estimator, name, None)
                if callable(original):
                    _replace(undo, vars(step.estimator), name, stopwatch.wrap(step.name, original))
        for function in functions:
            stage = f"{function.name}()" if function.name in taken else function.name
            _replace_function(undo, function, stopwatch.wrap(stage, function.original))
        yield stopwatch


def _replace(undo: ExitStack, namespace: dict[str, object], name: str, replacement: object) -> None:
    if name in namespace:
        undo.callback(namespace.__setitem__, name, namespace[name])
    else:
        undo.callback(namespace.pop, name, None)
    namespace[name] = replacement


def _replace_function(undo: ExitStack, function: StageFunction, replacement: object) -> None:
    if isinstance(function.owner, type):
        # The dictionary of a class is read-only from outside.
        undo.callback(setattr, function.owner, function.attribute, function.original)
        setattr(function.owner, function.attribute, replacement)
    elif function.owner is not None:
        _replace(undo, vars(function.owner), function.attribute, replacement)
    else:
        for namespace, name in _module_places(function.original):
            _replace(undo, namespace, name, replacement)


def _module_places(function: object) -> list[tuple[dict[str, object], str]]:
    """Find every module namespace that holds the function, under whatever name it was imported."""
    namespaces = [vars(module) for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    return [
        (namespace, name) for namespace in namespaces for name, value in list(namespace.items()) if value is function
    ]


def _stage_time(calls: Sequence[_Call]) -> StageTime:
    repeated_ns = 0
    distinct: list[_Call] = []
    for call in calls:
        if any(_repeats(call, earlier) for earlier in distinct):
            repeated_ns += call.self_ns
        elif len(distinct) < _MAX_DISTINCT_INPUTS:
            distinct.append(call)
    return StageTime(sum(call.self_ns for call in calls) / 1e9, len(calls), repeated_ns / 1e9)


def _repeats(call: _Call, earlier: _Call) -> bool:
    given, before = (*call.arguments, *call.keywords.values()), (*earlier.arguments, *earlier.keywords.values())
    return (
        call.function is earlier.function
        and call.keywords.keys() == earlier.keywords.keys()
        # Without any input there is nothing to call the same: a clock or a random number may be what it returns.
        and 0 < len(given) == len(before)
        and all(_is_same(value, other) for value, other in zip(given, before, strict=True))
    )


def _is_same(value: object, other: object) -> bool:
    """Compare by identity, and arrays and frames by content: a rebuilt matrix is a new object every time."""
    if value is other or type(value) is not type(other):
        return value is other
    if hasattr(value, "equals"):
        return bool(value.equals(other))
    if isinstance(value, _PLAIN):
        return value == other
    # Bit by bit, so that NaN is the same as NaN.
    return _bits(value) is not None and _bits(value) == _bits(other)


def _bits(value: object) -> tuple[object, object, bytes] | None:
    """Return shape, type and content of an array of plain numbers; None for anything else."""
    dtype = getattr(value, "dtype", None)
    if dtype is None or not hasattr(value, "tobytes") or getattr(dtype, "hasobject", True):
        return None
    return getattr(value, "shape", None), dtype, value.tobytes()
