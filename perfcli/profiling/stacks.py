"""Record true call stacks, which cProfile does not keep, and give every place its part of the function times.

cProfile knows pairs of caller and callee only: when two callers share a function, nobody can tell afterwards which of
them its callees worked for. So a few calls are made under `sys.setprofile`, on every Python alike: it watches the
calling thread alone, where `sys.monitoring` watches all of them. Its cost per call is larger than that of cProfile and
it is therefore asked one thing only: how the time of a function divides over the places it was called from. How much
time that is, is what the table of functions says.
"""

from __future__ import annotations

import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FrameType, ModuleType
from typing import Any

import perfcli
from perfcli.monitor.functions import describe
from perfcli.profiling.sampling import Call
from perfcli.records import FunctionTime
from perfcli.records.call_tree import OTHER, CallNode
from perfcli.targets.protocol import LEFT_OUT

WHOLE = "(prediction)"
MAX_CALLS = 8
PASS_TIME_S = 1.0
SMALLEST_SHARE = 0.001
DEEPEST = 150

_Label = tuple[str, str, int]


class Place:
    """One function in one place of the stack, as it was seen.

    Attributes:
        code: Its code object; for a builtin the text that cProfile gives it; empty at the root.
        calls: Calls from this place.
        self_ns: Time in the function itself.
        callees: What it called from here.
    """

    __slots__ = ("callees", "calls", "code", "self_ns")

    def __init__(self, code: CodeType | str):
        self.code = code
        self.calls = 0
        self.self_ns = 0
        self.callees: dict[CodeType | str, Place] = {}

    def walk(self) -> Iterator[Place]:
        """Yield this place and all below it, callers before what they call."""
        waiting = [self]
        while waiting:
            place = waiting.pop()
            yield place
            waiting.extend(place.callees.values())


class StackRecorder:
    """Watches one prediction per `with` block and adds it to a tree; what it does itself is not timed.

    Attributes:
        root: Stands for all predictions; each of its callees is the outermost function of one.
        predictions: Blocks that were left.
    """

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns):
        self.root = Place("")
        self.predictions = 0
        self._clock = clock
        self._stack = [self.root]
        self._left_ns = 0
        self._builtins: dict[tuple[object, str], str] = {}

    def __enter__(self) -> StackRecorder:
        self._stack = [self.root]
        self._left_ns = self._clock()
        sys.setprofile(self._observe)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        self.predictions += 1
        # It has seen itself being left.
        self.root.callees.pop(StackRecorder.__exit__.__code__, None)

    def _observe(self, frame: FrameType, event: str, function: Any) -> None:
        stack = self._stack
        stack[-1].self_ns += self._clock() - self._left_ns
        if event == "call":
            self._enter(frame.f_code)
        elif event == "c_call":
            self._enter(self._builtin_name(function))
        elif len(stack) > 1:
            stack.pop()
        self._left_ns = self._clock()

    def _enter(self, code: CodeType | str) -> None:
        if len(self._stack) == 1 and code in LEFT_OUT:
            self._stack.append(self.root)
            return
        callees = self._stack[-1].callees
        place = callees.get(code)
        if place is None:
            place = callees[code] = Place(code)
        place.calls += 1
        self._stack.append(place)

    def _builtin_name(self, function: BuiltinFunctionType) -> str:
        """Return the text that cProfile has for a builtin; see normalizeUserObj in CPython's _lsprof.c."""
        owner = function.__self__
        kind = function.__module__ if isinstance(owner, ModuleType) else type(owner)
        name = self._builtins.get((kind, function.__name__))
        if name is None:
            attribute = _look_up(type(owner), function.__name__)
            module = f"{function.__module__}." if function.__module__ else ""
            name = f"<built-in method {module}{function.__name__}>" if attribute is None else repr(attribute)
            self._builtins[kind, function.__name__] = name
        return name


def record_stacks(calls: Sequence[Call]) -> StackRecorder | None:
    """Make a few calls under the recorder; None when somebody else profiles."""
    if sys.getprofile() is not None:
        return None
    recorder = StackRecorder()
    started = time.perf_counter()
    for call in islice(cycle(calls), max(MAX_CALLS, len(calls))):
        with recorder:
            call()
        if time.perf_counter() - started > PASS_TIME_S:
            break
    return recorder


def call_tree(recorder: StackRecorder, functions: Sequence[FunctionTime]) -> tuple[CallNode, ...]:
    """Spread the times of the functions over the places they were called from.

    Args:
        recorder: With at least one prediction.
        functions: Per prediction, corrected or not: so is the tree.

    Returns:
        The tree, in the order `CallNode` says; its root takes as long as all functions together. What takes less than a
        thousandth of that, or is deeper than `DEEPEST`, is summed up as `(other)`.
    """
    known_s: dict[_Label, float] = {}
    for function in functions:
        label = (function.function, function.file, function.line)
        known_s[label] = known_s.get(label, 0.0) + function.self_s
    places = list(recorder.root.walk())
    labels = {code: describe(code) for code in {place.code for place in places}}
    weights = _weights(places, sum(known_s.values()) * 1e9 * recorder.predictions)
    together: dict[_Label, float] = {}
    for place, weight in weights.items():
        together[labels[place.code]] = together.get(labels[place.code], 0.0) + weight
    own_s = {
        place: known_s.get(labels[place.code], 0.0) * weight / together[labels[place.code]]
        for place, weight in weights.items()
    }
    found_s = sum(own_s.values())
    # cProfile has seen a few functions that ran in none of these calls; the whole stays the whole.
    scale = sum(known_s.values()) / found_s if found_s else 0.0
    own_s = {place: seconds * scale for place, seconds in own_s.items()}
    return tuple(_nodes(recorder, own_s, labels))


def _weights(places: Sequence[Place], plain_ns: float) -> dict[Place, float]:
    """Return times without the recorder's: each call costs the caller and the callee one half of the same price.

    The price is the one at which the sum comes down to what the predictions take unwatched. No call can take less than
    a nanosecond, so that every place of a function keeps some part of it. The root is no function, its weight nothing.
    """
    seen_ns = sum(place.self_ns for place in places[1:])
    price_ns = max(0.0, seen_ns - plain_ns) / max(1, sum(place.calls for place in places))
    weights = {places[0]: 1.0}
    for place in places[1:]:
        touched = place.calls + sum(callee.calls for callee in place.callees.values())
        weights[place] = max(float(place.calls), place.self_ns - price_ns * touched / 2)
    return weights


def _nodes(
    recorder: StackRecorder, own_s: Mapping[Place, float], labels: Mapping[CodeType | str, _Label]
) -> Iterator[CallNode]:
    cumulative_s = dict(own_s)
    for place in reversed(list(recorder.root.walk())):
        cumulative_s[place] += sum(cumulative_s[callee] for callee in place.callees.values())
    smallest_s = SMALLEST_SHARE * cumulative_s[recorder.root]
    waiting: list[tuple[Place, int] | CallNode] = [(recorder.root, 0)]
    while waiting:
        next_ = waiting.pop()
        if isinstance(next_, CallNode):
            yield next_
            continue
        place, depth = next_
        name, file, line = labels[place.code]
        yield CallNode(
            function=name or WHOLE,
            file=file,
            line=line,
            library=depth > 0 and _is_library(place.code),
            depth=depth,
            calls=place.calls / recorder.predictions if depth else 1.0,
            self_s=own_s[place],
            cumulative_s=cumulative_s[place],
        )
        callees = sorted(place.callees.values(), key=cumulative_s.__getitem__, reverse=True)
        shown = [callee for callee in callees if cumulative_s[callee] >= smallest_s and depth < DEEPEST]
        rest = [callee for callee in callees if callee not in shown]
        if rest:
            seconds = sum(cumulative_s[callee] for callee in rest)
            calls = sum(callee.calls for callee in rest) / recorder.predictions
            waiting.append(CallNode(OTHER, "", 0, True, depth + 1, calls, seconds, seconds))
        waiting.extend((callee, depth + 1) for callee in reversed(shown))


def _is_library(code: CodeType | str) -> bool:
    """Tell what is installed, builtin, generated or of Python itself; perfcli's own model is the reader's here."""
    if isinstance(code, str) or code.co_filename.startswith("<"):
        return True
    ours, installed = _folders()
    return not code.co_filename.startswith(ours) and code.co_filename.startswith(installed)


@cache
def _folders() -> tuple[str, tuple[str, ...]]:
    """Return the folder of perfcli, and those of what is installed; to ask for them takes 200 us."""
    installed = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return f"{Path(perfcli.__file__).parent}/", tuple(f"{folder}/" for folder in installed)


def _look_up(kind: type, name: str) -> object:
    """Return what a class holds under a name, unbound; None when it holds nothing."""
    return next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), None)
