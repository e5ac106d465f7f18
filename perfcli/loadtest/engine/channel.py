"""The pipe to the parent."""

from __future__ import annotations

import gevent.os
from gevent.lock import RLock

from perfcli.loadtest.messages import Message
from perfcli.loadtest.wire import to_line


class Channel:
    """Writes messages, in a thread: a parent slow to read must not stop the load.

    Attributes:
        fd: Where to.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._lock = RLock()

    def send(self, message: Message) -> None:
        """Write one message.

        Raises:
            BrokenPipeError: The parent is gone.
        """
        line = memoryview(to_line(message))
        with self._lock:
            while line:
                line = line[gevent.os.tp_write(self.fd, line) :]
