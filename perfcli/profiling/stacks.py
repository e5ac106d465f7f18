"""Record true call stacks, which cProfile does not keep.

cProfile knows pairs of caller and callee only: when two callers share a function, nobody can tell afterwards which of
them its callees worked for. So a few calls are made under `sys.setprofile`, on every Python alike: it watches the
calling thread alone, where `sys.monitoring` watches all of them. Its cost per call is larger than that of cProfile, and
it is therefore asked only what cProfile does not know.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from types import BuiltinFunctionType, CodeType, FrameType, ModuleType
from typing import Any

from perfcli.profiling.rounds import Call
from perfcli.statistics import outliers
from perfcli.targets.protocol import LEFT_OUT

MAX_CALLS = 12
PASS_TIME_S = 1.0


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

    @property
    def calls_made(self) -> int:
        """Calls to other functions from here."""
        return sum(callee.calls for callee in self.callees.values())

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

    @property
    def recorded_ns(self) -> int:
        """Time in all functions together."""
        return sum(place.self_ns for place in self.root.walk()) - self.root.self_ns

    def add(self, other: StackRecorder) -> None:
        """Add the predictions of another recorder, which must not be used any more."""
        self.predictions += other.predictions
        waiting = [(self.root, other.root)]
        while waiting:
            place, added = waiting.pop()
            place.calls += added.calls
            place.self_ns += added.self_ns
            for code, callee in added.callees.items():
                if code in place.callees:
                    waiting.append((place.callees[code], callee))
                else:
                    place.callees[code] = callee

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
    recorders: list[StackRecorder] = []
    started = time.perf_counter()
    for call in islice(cycle(calls), max(MAX_CALLS, len(calls))):
        recorders.append(StackRecorder())
        with recorders[-1]:
            call()
        if time.perf_counter() - started > PASS_TIME_S:
            break
    return _together(recorders, alike=len(calls) == 1)


def _together(recorders: Sequence[StackRecorder], *, alike: bool) -> StackRecorder:
    """Add predictions up; of those that should be alike, without the ones that something else must have slowed down."""
    strange = set(outliers([recorder.recorded_ns for recorder in recorders])) if alike else set()
    whole = StackRecorder()
    for position, recorder in enumerate(recorders):
        if position not in strange:
            whole.add(recorder)
    return whole


def _look_up(kind: type, name: str) -> object:
    """Return what a class holds under a name, unbound; None when it holds nothing."""
    return next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), None)
