"""What cProfile saw, merged over calls: functions, who called whom, and for how long."""

from __future__ import annotations

import marshal
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from perfcli.targets.protocol import LEFT_OUT

if TYPE_CHECKING:
    from _lsprof import profiler_entry, profiler_subentry
    from cProfile import Profile

_STOP = "<method 'disable' of '_lsprof.Profiler' objects>"


@dataclass(slots=True)
class Times:
    """Sums over all calls, in seconds as cProfile measured them.

    Attributes:
        calls: All calls.
        recursive_calls: Those made while the function was already running.
        self_s: Time in the function itself.
        cumulative_s: Time in it and in what it calls, recursion counted once.
    """

    calls: int = 0
    recursive_calls: int = 0
    self_s: float = 0.0
    cumulative_s: float = 0.0

    def add(self, entry: profiler_entry | profiler_subentry) -> None:
        """Add what cProfile saw."""
        self.calls += entry.callcount
        self.recursive_calls += entry.reccallcount
        self.self_s += entry.inlinetime
        self.cumulative_s += entry.totaltime


@dataclass(slots=True)
class Node:
    """One function of the graph.

    Attributes:
        code: Its code object; for a builtin the text that cProfile gives it.
        times: Over all its calls.
        callees: Times of what it calls, as seen from here.
    """

    code: CodeType | str
    times: Times = field(default_factory=Times)
    callees: dict[CodeType | str, Times] = field(default_factory=dict)

    @property
    def calls_made(self) -> int:
        """Calls to other functions, and to itself."""
        return sum(edge.calls for edge in self.callees.values())


CallGraph = dict[CodeType | str, Node]

_Label = tuple[str, int, str]
_Row = tuple[int, int, float, float]
_NOTHING: _Row = (0, 0, 0.0, 0.0)


def entries_of(profiler: Profile) -> list[profiler_entry]:
    """Return what was profiled, without what leads to the model and what stops the profiler."""
    return [entry for entry in profiler.getstats() if entry.code != _STOP and entry.code not in LEFT_OUT]


def merge(profiles: Iterable[Iterable[profiler_entry]]) -> CallGraph:
    """Add profiles up; what is left out of all of them is no callee either."""
    graph: CallGraph = {}
    for entries in profiles:
        for entry in entries:
            node = graph.setdefault(entry.code, Node(entry.code))
            node.times.add(entry)
            for edge in entry.calls or ():
                node.callees.setdefault(edge.code, Times()).add(edge)
    for node in graph.values():
        node.callees = {code: edge for code, edge in node.callees.items() if code in graph}
    return graph


def main_callers(graph: CallGraph) -> dict[CodeType | str, CodeType | str]:
    """Return for each function the one that spends most time in calling it."""
    longest: dict[CodeType | str, tuple[float, CodeType | str]] = {}
    for node in graph.values():
        for code, edge in node.callees.items():
            if code != node.code and edge.cumulative_s >= longest.get(code, (0.0, code))[0]:
                longest[code] = (edge.cumulative_s, node.code)
    return {code: caller for code, (_, caller) in longest.items()}


def write_pstats(graph: CallGraph, path: Path) -> None:
    """Write the graph as `pstats`, snakeviz and tuna read it.

    The format is that of `cProfile.Profile.create_stats`: a marshalled dict of
    `(file, line, name) -> (primitive calls, calls, self time, cumulative time, callers)`.

    Raises:
        OSError: The file cannot be written.
    """
    stats: dict[_Label, tuple[_Row, dict[_Label, _Row]]] = {}
    for code, node in graph.items():
        row, callers = stats.get(_label(code), (_NOTHING, {}))
        stats[_label(code)] = _sum(row, node.times), callers
    for code, node in graph.items():
        for callee, edge in node.callees.items():
            callers = stats[_label(callee)][1]
            callers[_label(code)] = _sum(callers.get(_label(code), _NOTHING), edge)
    path.write_bytes(marshal.dumps({label: (*row, callers) for label, (row, callers) in stats.items()}))


def _sum(row: _Row, times: Times) -> _Row:
    """Add a function to the row of its label: generated code often shares file, line and name."""
    primitive, calls, own, cumulative = row
    return (
        primitive + times.calls - times.recursive_calls,
        calls + times.calls,
        own + times.self_s,
        cumulative + times.cumulative_s,
    )


def _label(code: CodeType | str) -> _Label:
    return ("~", 0, code) if isinstance(code, str) else (code.co_filename, code.co_firstlineno, code.co_name)
