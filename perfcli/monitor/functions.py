"""Read out of a finished cProfile what a record shows: the number of calls and the most expensive functions.

`getstats` and `heapq` take a tenth of the time of `pstats`, and leave no garbage behind.
"""

from __future__ import annotations

import functools
import heapq
import operator
import re
import sys
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from perfcli.records.metrics import TOP_FUNCTIONS, TopFunction

if TYPE_CHECKING:
    from _lsprof import profiler_entry
    from collections.abc import Iterable

_PACKAGE = Path(__file__).parent.parent
_BUILTIN = re.compile(r"<built-in method (.+)>")
_METHOD = re.compile(r"<method '(.+)' of '(.+)' objects>")
# The log is written by what is handed to the monitor, also in the middle of a block.
_OUR_FILES = frozenset(map(str, (path for at in ("monitor", "logs") for path in _PACKAGE.glob(f"{at}/**/*.py"))))
# A function that only hands on to the next one says nothing: nearly all the time is in it, and none is its own.
_WRAPPER_CUMULATIVE_SHARE = 0.95
_WRAPPER_SELF_SHARE = 0.01


def prediction_entries(entries: Iterable[profiler_entry]) -> list[profiler_entry]:
    """Leave out the calls that the monitor makes itself."""
    return [entry for entry in entries if isinstance(entry.code, str) or entry.code.co_filename not in _OUR_FILES]


def count_calls(entries: Iterable[profiler_entry]) -> int:
    """Count all calls, recursive ones included."""
    return sum([entry.callcount for entry in entries])  # A list is faster than a generator, here as below.


def top_functions(entries: list[profiler_entry]) -> tuple[TopFunction, ...]:
    """Return the functions with most cumulative time, those left out that only hand on to the next one."""
    whole_s = sum([entry.inlinetime for entry in entries])
    longest_s, shortest_s = _WRAPPER_CUMULATIVE_SHARE * whole_s, _WRAPPER_SELF_SHARE * whole_s
    working = [entry for entry in entries if entry.totaltime < longest_s or entry.inlinetime >= shortest_s]
    return tuple(
        TopFunction(*describe(entry.code), entry.totaltime, entry.inlinetime, entry.callcount)
        for entry in heapq.nlargest(TOP_FUNCTIONS, working, key=operator.attrgetter("totaltime"))
    )


def describe(code: CodeType | str) -> tuple[str, str, int]:
    """Return name, file and line of a function: qualified, relative to its package, and its first line.

    A builtin has its real name (`list.append`, not `<method 'append' of 'list' objects>`), no file and line 0.
    """
    if isinstance(code, CodeType):
        return code.co_qualname, _relative(code.co_filename), code.co_firstlineno
    if match := _BUILTIN.fullmatch(code):
        return match[1].removeprefix("builtins."), "", 0
    if match := _METHOD.fullmatch(code):
        return f"{match[2]}.{match[1]}", "", 0
    return code, "", 0


@functools.lru_cache(maxsize=1024)
def _relative(path: str) -> str:
    """Cut the folder that the module was imported from off a path."""
    folders = (folder.rstrip("/") + "/" for folder in (*sys.path, str(Path.cwd())) if folder)
    prefix = max((folder for folder in folders if path.startswith(folder)), key=len, default="")
    return path.removeprefix(prefix)
