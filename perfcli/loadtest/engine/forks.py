"""Worker processes on this machine, forked: Locust, a third of a second to import, is then imported once for all."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gevent import monkey

_PORT_DIGITS = 5
# gevent's own `os.close` leaves the work to its hub, which does not run while a worker waits for its port.
_close = monkey.get_original("os", "close")


@dataclass(slots=True)
class Fork:
    """A worker process.

    Attributes:
        pid: Its process id.
    """

    pid: int
    _dead: bool = False

    def is_dead(self) -> bool:
        """Tell whether the process has ended, and take note of it, so that no zombie stays."""
        self._dead = self._dead or os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return self._dead


class Forks:
    """The workers of one master. They are forked before it exists and wait for its port."""

    def __init__(self, number: int, work: Callable[[int], None], close_in_child: Sequence[int]) -> None:
        reader, self._port = os.pipe()
        self.workers: list[Fork] = []
        for _ in range(number):
            pid = os.fork()
            if pid == 0:
                for fd in (self._port, *close_in_child):
                    _close(fd)
                _live(reader, work)
            self.workers.append(Fork(pid))
        _close(reader)

    def connect_to(self, port: int) -> None:
        """Tell all workers where the master is."""
        for _ in self.workers:
            os.write(self._port, f"{port:0{_PORT_DIGITS}d}".encode())
        _close(self._port)


def _live(reader: int, work: Callable[[int], None]) -> None:
    """Do the work and end the process without returning to what it was forked from."""
    status = 1
    try:
        # Every worker takes one port; none is there when the master died first.
        port = os.read(reader, _PORT_DIGITS)
        if port:
            work(int(port))
            status = 0
    except Exception:  # noqa: BLE001 - a forked process must not run on into its parent's code
        traceback.print_exc()
    finally:
        os._exit(status)
