"""Time the phases of an HTTP exchange where they happen: at the name look-up and at the socket."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter_ns

import httpcore

from perfcli.targets.protocol import StageTime

PHASES = ("dns", "connect", "tls", "send", "wait", "receive")


class PhaseClock:
    """Adds up the phases of the exchanges since the last `take`; records nothing unless it is told to run.

    `send` is the time in socket writes, `wait` the time from the last write to the first bytes of the answer, and
    `receive` from there to its last bytes; an answer that comes in one piece has none. What is missing to the duration
    of the call is the client's own work.

    Attributes:
        now: Clock in nanoseconds.
        is_running: Phases are recorded.
    """

    __slots__ = ("_calls", "_spent_ns", "is_running", "now")

    def __init__(self, now: Callable[[], int] = perf_counter_ns) -> None:
        self.now = now
        self.is_running = False
        self._spent_ns: dict[str, int] = {}
        self._calls: dict[str, int] = {}

    def add(self, phase: str, spent_ns: int, *, continues: bool = False) -> None:
        """Add to a phase; `continues` when it is the phase of an exchange that has been counted."""
        if self.is_running:
            self._spent_ns[phase] = self._spent_ns.get(phase, 0) + spent_ns
            self._calls[phase] = self._calls.get(phase, 0) + (not continues)

    def take(self) -> Mapping[str, StageTime]:
        """Return the phases that happened, in the order of an exchange, and start anew."""
        spent_ns, calls = self._spent_ns, self._calls
        self._spent_ns, self._calls = {}, {}
        return {phase: StageTime(spent_ns[phase] / 1e9, calls[phase]) for phase in PHASES if phase in spent_ns}


class TimedBackend(httpcore.NetworkBackend):
    """Connects as httpcore does, with the name look-up apart from the connection."""

    def __init__(self, clock: PhaseClock) -> None:
        self._clock = clock
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Look the name up, then try its addresses in turn."""
        clock = self._clock
        addresses = [host] if _is_address(host) else self._look_up(host, port)
        started = clock.now()
        try:
            for address in addresses[:-1]:
                try:
                    stream = self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout):
                    continue
                return TimedStream(stream, clock)
            stream = self._backend.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)
            return TimedStream(stream, clock)
        finally:
            clock.add("connect", clock.now() - started)

    def _look_up(self, host: str, port: int) -> list[str]:
        started = self._clock.now()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # UnicodeError: the name cannot even be written as a question to a name server.
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(error) from error
        finally:
            self._clock.add("dns", self._clock.now() - started)
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class TimedStream(httpcore.NetworkStream):
    """A connection that tells the clock when bytes leave and arrive."""

    __slots__ = ("_clock", "_last_ns", "_phase", "_stream")

    def __init__(self, stream: httpcore.NetworkStream, clock: PhaseClock) -> None:
        self._stream = stream
        self._clock = clock
        self._phase = "receive"
        self._last_ns = 0

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes; the first after an answer begins an exchange."""
        clock = self._clock
        if not clock.is_running or not buffer:
            self._stream.write(buffer, timeout)
            return
        started = clock.now()
        self._stream.write(buffer, timeout)
        self._last_ns = clock.now()
        clock.add("send", self._last_ns - started, continues=self._phase == "send")
        self._phase = "send"

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Receive bytes; the first after a request end the wait."""
        clock = self._clock
        if not clock.is_running:
            return self._stream.read(max_bytes, timeout)
        received = self._stream.read(max_bytes, timeout)
        now = clock.now()
        phase = "wait" if self._phase == "send" else "receive"
        clock.add(phase, now - self._last_ns, continues=self._phase == "receive")
        self._phase, self._last_ns = phase, now
        return received

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Shake hands, and go on through the encrypted stream."""
        started = self._clock.now()
        try:
            return TimedStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._clock)
        finally:
            self._clock.add("tls", self._clock.now() - started)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def get_extra_info(self, info: str) -> object:
        """Ask the connection itself."""
        return self._stream.get_extra_info(info)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
