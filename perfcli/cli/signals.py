"""Ctrl-C and SIGTERM both end a run early and keep its record; only the exit code tells them apart.

A terminal that is closed is a SIGTERM.
"""

from __future__ import annotations

import signal
from types import FrameType

from perfcli.errors import ExitCode, Terminated

_received: list[int] = []


def end_runs_on_sigterm() -> None:
    """Make SIGTERM end a run as Ctrl-C does; a second one is not waited for."""
    signal.signal(signal.SIGTERM, _terminate)
    # Under nohup it stays ignored.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _terminal_is_gone)


def interruption_code() -> ExitCode:
    """Return what an interrupted process ends with."""
    return ExitCode.TERMINATED if signal.SIGTERM in _received else ExitCode.INTERRUPTED


def _terminal_is_gone(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)


def _terminate(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    _received.append(number)
    raise Terminated
