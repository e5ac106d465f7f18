"""A real server on a free port of loopback that answers with exactly the bytes a test scripts."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO

import pytest


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Then(Enum):
    """What a server does after, or instead of, the bytes it sends."""

    CLOSE = "closes the connection"
    RESET = "resets the connection"
    HOLD = "sends no more until the test is over"


Piece = bytes | Then
Answer = Callable[[Received], bytes | list[Piece]]


@dataclass
class ScriptedServer:
    """Serves each connection in a thread, keeps it alive, and remembers the requests."""

    answer: Answer
    tls: ssl.SSLContext | None = None
    greeting: bytes = b""
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/predict"

    def wait_until_closed(self, connection: int) -> None:
        """Wait until the server is done with its first, second... connection."""
        self._threads[connection].join(5)

    def close(self) -> None:
        self._stop.set()
        for connection in (self._listener, *self._sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self._sockets.append(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(self.greeting)
            with connection, connection.makefile("rb") as stream:
                while request := _read_request(stream):
                    self.received.append(request)
                    answer = self.answer(request)
                    if not all(self._send(connection, piece) for piece in ([answer], answer)[isinstance(answer, list)]):
                        return
        # ValueError: what came in is no HTTP, such as the first bytes of a TLS handshake.
        except (OSError, ValueError):
            connection.close()

    def _send(self, connection: socket.socket, piece: Piece) -> bool:
        """Send a piece; false when the connection is at its end."""
        if isinstance(piece, bytes):
            connection.sendall(piece)
        elif piece is Then.HOLD:
            self._stop.wait(30)
        elif piece is Then.RESET:
            # Closing with unsent lingering time of zero sends RST and no FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return isinstance(piece, bytes)


def _read_request(stream: BinaryIO) -> Received | None:
    first = stream.readline()
    if not first:
        return None
    method, path, _ = first.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Received(method, path, headers, stream.read(int(headers.get("content-length", 0))))


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start servers that stop with the test."""
    with ExitStack() as servers:

        def start(
            answer: Answer | bytes | list[Piece], tls: ssl.SSLContext | None = None, greeting: bytes = b""
        ) -> ScriptedServer:
            server = ScriptedServer(answer if callable(answer) else lambda _: answer, tls, greeting)
            servers.callback(server.close)
            return server

        yield start


@pytest.fixture
def then() -> type[Then]:
    """How a connection can end."""
    return Then


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port nobody listens on; it is held, so that nobody else gets it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
