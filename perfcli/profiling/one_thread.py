"""Whether a call runs other threads, whose calls cProfile would see as well from Python 3.12 on.

Gates keep them out, but are paid for at every event, and make a profile cost half as much again; so that is done only
where there are other threads.
"""

from __future__ import annotations

import sys
import threading
from _thread import get_ident
from collections.abc import Callable
from types import CodeType

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

else:

    def other_threads_run(_call: Callable[[], object]) -> bool:
        """Tell that cProfile will not see other threads, without a call."""
        return False
