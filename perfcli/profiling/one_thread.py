"""Keep the calls of other threads out of a cProfile run.

Python 3.11 profiles one thread. From 3.12 on cProfile sees the calls of all threads, in one stack, so that functions of
one thread end up below those of another. There its callbacks are put behind gates that know the profiled thread. A gate
is paid for at every event, and makes a profile cost half as much again; so that is done only where there are others.
"""

from __future__ import annotations

import sys
import threading
from _thread import get_ident
from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cProfile import Profile

if sys.version_info >= (3, 12):

    def other_threads_run(call: Callable[[], object]) -> bool:
        """Make one call, and tell whether other threads run Python code meanwhile, or are there to run it later."""
        monitoring, thread = sys.monitoring, get_ident()
        tool, event = monitoring.PROFILER_ID, monitoring.events.PY_START
        seen: set[int] = set()

        def started(_code: CodeType, _offset: int) -> None:
            seen.add(get_ident())

        try:
            monitoring.use_tool_id(tool, "perfcli")
        except ValueError:  # Somebody else's profiler; cProfile will be refused as well.
            return False
        try:
            monitoring.register_callback(tool, event, started)
            monitoring.set_events(tool, event)
            call()
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)
        return bool((seen | {each.ident for each in threading.enumerate()}) - {thread})

    def shut_out_other_threads(profiler: Profile) -> None:
        """Let a profiler that was just enabled see this thread only; what it has seen so far is lost."""
        monitoring, thread, events = sys.monitoring, get_ident(), sys.monitoring.events
        of_two = (events.PY_START, events.PY_RESUME)
        of_three = (events.PY_THROW, events.PY_RETURN, events.PY_YIELD, events.PY_UNWIND)
        of_four = (events.CALL, events.C_RETURN, events.C_RAISE)
        for among, gate in ((of_two, _gate_of_two), (of_three, _gate_of_three), (of_four, _gate_of_four)):
            for event in among:
                callback = monitoring.register_callback(monitoring.PROFILER_ID, event, None)
                if callback is not None:
                    monitoring.register_callback(monitoring.PROFILER_ID, event, gate(callback, thread))
        profiler.clear()

    def _gate_of_two(callback: Callable[..., object], thread: int) -> Callable[[CodeType, int], None]:
        def gate(code: CodeType, offset: int) -> None:
            if get_ident() == thread:
                callback(code, offset)

        return gate

    def _gate_of_three(callback: Callable[..., object], thread: int) -> Callable[[CodeType, int, object], None]:
        def gate(code: CodeType, offset: int, value: object) -> None:
            if get_ident() == thread:
                callback(code, offset, value)

        return gate

    def _gate_of_four(callback: Callable[..., object], thread: int) -> Callable[[CodeType, int, object, object], None]:
        def gate(code: CodeType, offset: int, function: object, argument: object) -> None:
            if get_ident() == thread:
                callback(code, offset, function, argument)

        return gate

else:

    def other_threads_run(_call: Callable[[], object]) -> bool:
        """Tell that cProfile will not see other threads, without a call."""
        return False

    def shut_out_other_threads(_profiler: Profile) -> None:
        """Do nothing: cProfile sees the thread alone that enabled it."""
