"""Tell an error of the monitor from one that somebody threw into whatever code was running: a time limit, above all.

A signal handler runs in the middle of any function, and what it raises comes out of that; so does what one thread sets
in another. Such an error is the service's own, and goes on its way.
"""

from __future__ import annotations

import sys

# Whose code runs for the monitor.
_OURS = frozenset(sys.stdlib_module_names) | {"gevent", "perfcli", "psutil"}


def is_of_others(error: BaseException) -> bool:
    """Tell whether an error that came out of the monitor was raised by, or made for, code it has nothing to do with."""
    if not isinstance(error, Exception):
        return True
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    raised_in = "perfcli" if traceback is None else traceback.tb_frame.f_globals.get("__name__", "")
    return not {_package(raised_in), _package(type(error).__module__)} <= _OURS


def _package(module: str) -> str:
    return module.partition(".")[0]
