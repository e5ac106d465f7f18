"""Standard streams that were closed before perfcli was started, by `>&-` in a shell or by some supervisors."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Give a closed standard stream to /dev/null.

    Python has None in its place, which nothing can be written to; and the next file or socket would get its number,
    and whatever writes to that number would write into it.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if null == number:
                os.set_inheritable(null, True)
            else:
                # What it makes is inheritable.
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def stdout_was_closed() -> bool:
    """Tell whether stdout was closed when the interpreter started."""
    return sys.__stdout__ is None
