"""Give every place in the recorded stacks its part of the function times.

The recorded stacks say which places there are and how often each was called, exactly. How long a function takes when
this or that one calls it, cProfile knows better, which has seen more calls, and slowed them down less. What only the
recorder can tell is how that time divides over places with the same caller and callee. How much time a function has in
all places together is what the table of functions says.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import CodeType

import perfcli
from perfcli.monitor.functions import describe
from perfcli.profiling.call_graph import CallGraph
from perfcli.profiling.correction import paid_calls, without_profiler
from perfcli.profiling.stacks import Place, StackRecorder
from perfcli.records import FunctionTime
from perfcli.records.call_tree import OTHER, CallNode

WHOLE = "(prediction)"
SMALLEST_SHARE = 0.001
DEEPEST = 150

_Label = tuple[str, str, int]
_Pair = tuple[CodeType | str, CodeType | str]


def call_tree(recorder: StackRecorder, graph: CallGraph, functions: Sequence[FunctionTime]) -> tuple[CallNode, ...]:
    """Spread the times of the functions over the places they were called from.

    Args:
        recorder: With at least one prediction.
        graph: Profiled predictions, merged.
        functions: Those of the graph, per prediction, corrected or not: so is the tree.

    Returns:
        The tree, in the order `CallNode` says; its root takes as long as all functions together. What takes less than a
        thousandth of that, or is deeper than `DEEPEST`, is summed up as `(other)`.
    """
    known_s: dict[_Label, float] = {}
    for function in functions:
        label = (function.function, function.file, function.line)
        known_s[label] = known_s.get(label, 0.0) + function.self_s
    total_s = sum(known_s.values())
    places = list(recorder.root.walk())
    labels = {code: describe(code) for code in {place.code for place in places}}
    seen_s = _seen_s(recorder, graph, sum(function.profiled_self_s for function in functions))
    weights = without_profiler(
        [(seen_s[place], paid_calls(place.calls, place.calls_made) / recorder.predictions) for place in places],
        total_s,
    )
    together: dict[_Label, float] = {}
    for place, weight in zip(places, weights, strict=True):
        together[labels[place.code]] = together.get(labels[place.code], 0.0) + weight
    own_s = {
        place: known_s.get(labels[place.code], 0.0) * weight / (together[labels[place.code]] or 1.0)
        for place, weight in zip(places, weights, strict=True)
    }
    found_s = sum(own_s.values())
    # cProfile has seen a few functions that ran in none of these calls; the whole stays the whole.
    scale = total_s / found_s if found_s else 0.0
    own_s = {place: seconds * scale for place, seconds in own_s.items()}
    return tuple(_nodes(recorder, own_s, labels))


def _seen_s(recorder: StackRecorder, graph: CallGraph, profiled_s: float) -> dict[Place, float]:
    """Return self times per prediction as cProfile would have seen them in each place, its own cost included.

    That of a pair of caller and callee is divided over the places with this pair as the recorder saw them. A pair that
    cProfile has not seen has next to nothing, but its places share it: a function that ran is somewhere in the tree.

    Args:
        recorder: With at least one prediction.
        graph: Profiled predictions, merged.
        profiled_s: Duration of one of these.
    """
    watched_ns = _watched_ns(recorder, profiled_s * 1e9 * recorder.predictions)
    pairs: dict[_Pair, list[Place]] = {}
    for place in watched_ns:
        for callee in place.callees.values():
            pairs.setdefault((place.code, callee.code), []).append(callee)
    known_s = _pair_times(graph)
    per_prediction = profiled_s / (sum(node.times.self_s for node in graph.values()) or 1.0)
    seen_s = {recorder.root: 0.0}
    for pair, places in pairs.items():
        together_s = max(known_s.get(pair, 0.0) * per_prediction, 1e-9)
        together_ns = sum(watched_ns[place] for place in places)
        for place in places:
            seen_s[place] = together_s * watched_ns[place] / together_ns
    return seen_s


def _pair_times(graph: CallGraph) -> dict[_Pair, float]:
    """Return self times by caller and callee; the caller of what nothing in the graph called is the root's code."""
    times = {(caller, callee): edge.self_s for caller, node in graph.items() for callee, edge in node.callees.items()}
    rest = {code: node.times.self_s for code, node in graph.items()}
    for (_, callee), self_s in times.items():
        rest[callee] -= self_s
    return times | {("", code): self_s for code, self_s in rest.items()}


def _watched_ns(recorder: StackRecorder, profiled_ns: float) -> dict[Place, float]:
    """Return times with no more cost in them than cProfile's: each call costs caller and callee one half of a price.

    The price is the one at which the sum comes down to what the predictions take under cProfile. No call can take less
    than a nanosecond, so that every place of a function keeps some part of it. The root is no function, its weight
    nothing.
    """
    places = list(recorder.root.walk())
    seen_ns = sum(place.self_ns for place in places[1:])
    price_ns = max(0.0, seen_ns - profiled_ns) / max(1, sum(place.calls for place in places))
    weights = {places[0]: 1.0}
    for place in places[1:]:
        weights[place] = max(float(place.calls), place.self_ns - price_ns * (place.calls + place.calls_made) / 2)
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
