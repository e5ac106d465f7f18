"""Bytes to and from one server: non-blocking sockets on gevent's hub, in plain text or TLS, with a deadline each.

The sockets are used bare, not through `gevent.socket`: one request is then one `send`, one wait and one `recv`, a
third of the price. Time-outs cost nothing per request, because one timer looks at all waiting streams.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys
import time
from dataclasses import dataclass

import gevent
from gevent import monkey
from gevent.socket import getaddrinfo

from perfcli.loadtest.engine.faults import FaultError, Kind, ReadTimeoutError, classify

if sys.platform == "linux":
    import fcntl
    import termios

_Socket = monkey.get_original("socket", "socket")
_READ, _WRITE = 1, 2
_CHUNK_BYTES = 65536
_SWEEP_S = 0.02
_IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        host: Name or IP address, without brackets.
        port: TCP port.
        tls: How to speak TLS; None for plain text.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None

    def resolve(self) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        """Look the name up, once for the whole run: the load is meant for the server, not for its name server."""
        if self not in _RESOLVED:
            try:
                _RESOLVED[self] = getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            except OSError as error:
                raise FaultError(Kind.DNS, f"cannot resolve {self.host}: {error.strerror}") from error
        return _RESOLVED[self]


_RESOLVED: dict[Address, list[tuple[int, int, int, str, tuple[object, ...]]]] = {}


class Stream:
    """A connected socket; one greenlet at a time may wait on it.

    Attributes:
        deadline_ns: On the clock of `perf_counter_ns`; a wait that lasts longer raises the fault of its phase.
    """

    def __init__(self, family: int, deadline_ns: int) -> None:
        self.deadline_ns = deadline_ns
        self._socket = _Socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._hub = gevent.get_hub()
        self._readable = self._hub.loop.io(self._socket.fileno(), _READ)
        self._watched = False
        self._waiting: gevent.Greenlet | None = None
        self._reader: gevent.Greenlet | None = None
        self._connected = False

    def connect(self, sockaddr: tuple[object, ...]) -> None:
        """Connect.

        Raises:
            OSError: The server refuses, or cannot be reached.
            FaultError: The deadline passed.
        """
        error = self._socket.connect_ex(sockaddr)
        if error in _IN_PROGRESS:
            self._wait_writable()
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))

    def established(self) -> None:
        """Tell that waits from now on are for an answer, no longer for the connection."""
        self._connected = True

    def send(self, data: bytes) -> None:
        """Send everything."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        while sent < len(data):
            self._wait_writable()
            sent += self._socket.send(memoryview(data)[sent:])

    def receive(self) -> bytes:
        """Wait for bytes; none at all mean that the server has closed its side."""
        while True:
            self._wait_readable()
            try:
                data: bytes = self._socket.recv(_CHUNK_BYTES)
            except BlockingIOError:
                continue
            return data

    def was_taken(self) -> bool:
        """Tell, once the server has closed, whether it had taken all that was sent; False where the system is silent.

        A connection that was closed before acknowledges nothing more. Of 2100 that were closed on the request Linux
        held none of its bytes back at their end, of 4200 that were closed while idle, or as it was sent, always all.
        """
        if sys.platform != "linux" or self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return False
        unacknowledged = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        return not any(unacknowledged)

    def close(self) -> None:
        """Close at once; never raises."""
        self._readable.stop()
        self._readable.close()
        self._socket.close()

    def expire(self) -> None:
        """Raise the fault of the phase in the waiting greenlet; called from the hub only."""
        if self._waiting is not None:
            self._waiting.throw(
                ReadTimeoutError("no complete answer in time")
                if self._connected
                else FaultError(Kind.CONNECT_TIMEOUT, "no connection in time")
            )

    def _wait_readable(self) -> None:
        # Once watched, always watched: to begin and end it for every answer would cost a system call each.
        if not self._watched:
            self._watched = True
            self._readable.start(self._on_readable)
        self._reader = gevent.getcurrent()
        try:
            self._wait(self._reader)
        finally:
            self._reader = None

    def _on_readable(self) -> None:
        if self._reader is not None:
            self._reader.switch()
        else:
            # Nobody asked, most often the server has closed: the hub would tell again and again.
            self._watched = False
            self._readable.stop()

    def _wait_writable(self) -> None:
        current = gevent.getcurrent()
        watcher = self._hub.loop.io(self._socket.fileno(), _WRITE)
        watcher.start(current.switch)
        try:
            self._wait(current)
        finally:
            watcher.stop()
            watcher.close()

    def _wait(self, current: gevent.Greenlet) -> None:
        self._waiting = current
        _WAITING.add(self)
        try:
            self._hub.switch()
        finally:
            self._waiting = None
            _WAITING.discard(self)


class TlsStream(Stream):
    """A stream inside TLS."""

    def __init__(self, family: int, deadline_ns: int, context: ssl.SSLContext, host: str) -> None:
        super().__init__(family, deadline_ns)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def connect(self, sockaddr: tuple[object, ...]) -> None:
        """Connect and shake hands.

        Raises:
            OSError: The server refuses, or cannot be reached.
            FaultError: The certificate does not convince, or the deadline passed.
        """
        super().connect(sockaddr)
        try:
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self._pump()
            super().send(self._outgoing.read())
        except ssl.SSLError as error:
            raise FaultError(Kind.TLS, getattr(error, "verify_message", "") or str(error)) from error

    def send(self, data: bytes) -> None:
        """Send everything."""
        self._tls.write(data)
        super().send(self._outgoing.read())

    def receive(self) -> bytes:
        """Wait for bytes; none at all mean that the server has closed its side."""
        while True:
            try:
                return self._tls.read(_CHUNK_BYTES)
            except ssl.SSLWantReadError:
                self._pump()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def _pump(self) -> None:
        if self._outgoing.pending:
            super().send(self._outgoing.read())
        data = super().receive()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


_WAITING: set[Stream] = set()


def open_stream(address: Address, deadline_ns: int) -> Stream:
    """Connect to the first of the server's addresses that accepts.

    Raises:
        FaultError: None does.
    """
    _start_sweeper()
    problem: FaultError | None = None
    for family, _, _, _, sockaddr in address.resolve():
        try:
            stream = (
                TlsStream(family, deadline_ns, address.tls, address.host)
                if address.tls is not None
                else Stream(family, deadline_ns)
            )
        except OSError as error:
            problem = classify(error)
            continue
        try:
            stream.connect(sockaddr)
        except (OSError, FaultError) as error:
            stream.close()
            problem = classify(error)
        except BaseException:
            stream.close()
            raise
        else:
            stream.established()
            return stream
    assert problem is not None, "getaddrinfo returns at least one address or raises"
    raise problem


def _start_sweeper() -> None:
    hub = gevent.get_hub()
    if hub not in _SWEEPERS:
        _SWEEPERS[hub] = hub.loop.timer(_SWEEP_S, repeat=_SWEEP_S, ref=False)
        _SWEEPERS[hub].start(_sweep)


def _sweep() -> None:
    now = time.perf_counter_ns()
    for stream in [stream for stream in _WAITING if stream.deadline_ns < now]:
        stream.expire()


_SWEEPERS: dict[gevent.hub.Hub, gevent._interfaces.ITimer] = {}
