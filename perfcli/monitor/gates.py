"""Keep the calls of other threads out of a cProfile run, and leave room for the profilers of others.

Python 3.11 profiles one thread. From 3.12 on cProfile sees the calls of all threads, in one stack, so that functions of
one thread end up below those of another. There its callbacks are put behind gates that know the profiled thread. And
there is one place for profilers in a process: who is in it keeps everybody else's cProfile from being switched on. So
the callbacks can be moved to another place.
"""

from __future__ import annotations

import sys
import threading
from _thread import get_ident
from collections.abc import Callable
from cProfile import Profile
from types import CodeType

if sys.version_info >= (3, 12):
    _NAME = "perfcli"
    _monitoring, _events = sys.monitoring, sys.monitoring.events
    _OF_TWO = (_events.PY_START, _events.PY_RESUME)
    _OF_THREE = (_events.PY_THROW, _events.PY_RETURN, _events.PY_YIELD, _events.PY_UNWIND)
    _OF_FOUR = (_events.CALL, _events.C_RETURN, _events.C_RAISE)
    PROFILERS_PLACE = _monitoring.PROFILER_ID
    # Those that are set aside for nobody.
    _OTHER_PLACES = (4, 3)

    def take_place() -> int:
        """Take a place that no profiler asks for; where there is none, return that of the profilers.

        To be called by one thread at a time, until it calls `leave_place`.
        """
        for place in _OTHER_PLACES:
            if _monitoring.get_tool(place) is None:
                _monitoring.use_tool_id(place, _NAME)
                return place
        return PROFILERS_PLACE

    def leave_place() -> None:
        """Give back what `take_place` took, even if it was interrupted by then, with all that is registered there."""
        for place in _OTHER_PLACES:
            if _monitoring.get_tool(place) == _NAME:
                _monitoring.set_events(place, 0)
                for event in (*_OF_TWO, *_OF_THREE, *_OF_FOUR):
                    _monitoring.register_callback(place, event, None)
                _monitoring.free_tool_id(place)

    def shut_out_other_threads(thread: int, *, builtins: bool, place: int = PROFILERS_PLACE) -> None:
        """Let the profiler that was just enabled see one thread only; what it has seen so far is to be cleared.

        Args:
            thread: Identity of the thread.
            builtins: It sees calls of C functions; else it is called for nothing but Python functions any more.
            place: Where its callbacks are to be from now on; only `switch_off` can disable it then.
        """
        of_four = _OF_FOUR if builtins else ()
        for among, gate in ((_OF_TWO, _gate_of_two), (_OF_THREE, _gate_of_three), (of_four, _gate_of_four)):
            for event in among:
                callback = _monitoring.register_callback(PROFILERS_PLACE, event, None)
                if callback is not None:
                    _monitoring.register_callback(place, event, gate(callback, thread))
        if place != PROFILERS_PLACE:
            _monitoring.set_events(PROFILERS_PLACE, 0)
            _monitoring.free_tool_id(PROFILERS_PLACE)
        _monitoring.set_events(place, sum((*_OF_TWO, *_OF_THREE, *of_four)))

    def switch_off(profiler: Profile, place: int) -> bool:
        """Disable a profiler; return whether it was the only one to the end.

        Where somebody else's has been switched on meanwhile, and goes on, it cannot be disabled: that frees the place
        of the profilers. It is called no more.
        """
        leave_place()
        if place != PROFILERS_PLACE:
            holder = _monitoring.get_tool(PROFILERS_PLACE)
            if holder is None:
                _monitoring.use_tool_id(PROFILERS_PLACE, _NAME)
            elif holder != _NAME:
                return False
        try:
            profiler.disable()
        except ValueError:  # Somebody has freed the place.
            return False
        # One that was disabled before, and interrupted then, does not free it again.
        if _monitoring.get_tool(PROFILERS_PLACE) == _NAME:
            _monitoring.free_tool_id(PROFILERS_PLACE)
        return True

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
    # A thread has a profiler of its own, and no places.
    PROFILERS_PLACE = 0

    def take_place() -> int:
        """Take nothing."""
        return PROFILERS_PLACE

    def leave_place() -> None:
        """Do nothing."""

    def shut_out_other_threads(_thread: int, *, builtins: bool, place: int = PROFILERS_PLACE) -> None:
        """Do nothing: cProfile sees the thread alone that enabled it."""

    def switch_off(profiler: Profile, _place: int) -> bool:
        """Disable the profiler of this thread; return whether it was still that."""
        active: object = sys.getprofile()
        if active is not profiler:
            # Disabling would switch off the profile function of this thread, which is somebody else's; and so would
            # its deallocation, that of any thread. So it is done in a thread that has none.
            thread = threading.Thread(target=profiler.disable, daemon=True)
            thread.start()
            thread.join()
            return False
        profiler.disable()
        return True
