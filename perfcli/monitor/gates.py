"""Keep the calls of other threads out of a cProfile run.

Python 3.11 profiles one thread. From 3.12 on cProfile sees the calls of all threads, in one stack, so that functions of
one thread end up below those of another. There its callbacks are put behind gates that know the profiled thread.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Callable
from types import CodeType

if sys.version_info >= (3, 12):

    def shut_out_other_threads(thread: int, *, builtins: bool) -> None:
        """Let the profiler that was just enabled see one thread only; what it has seen so far is to be cleared.

        Args:
            thread: Identity of the thread.
            builtins: It sees calls of C functions; else it is called for nothing but Python functions any more.
        """
        monitoring, events = sys.monitoring, sys.monitoring.events
        of_two = (events.PY_START, events.PY_RESUME)
        of_three = (events.PY_THROW, events.PY_RETURN, events.PY_YIELD, events.PY_UNWIND)
        of_four = (events.CALL, events.C_RETURN, events.C_RAISE) if builtins else ()
        if not builtins:
            monitoring.set_events(monitoring.PROFILER_ID, sum((*of_two, *of_three)))
        for among, gate in ((of_two, _gate_of_two), (of_three, _gate_of_three), (of_four, _gate_of_four)):
            for event in among:
                callback = monitoring.register_callback(monitoring.PROFILER_ID, event, None)
                if callback is not None:
                    monitoring.register_callback(monitoring.PROFILER_ID, event, gate(callback, thread))

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

    def shut_out_other_threads(thread: int, *, builtins: bool) -> None:
        """Do nothing: cProfile sees the thread alone that enabled it."""
