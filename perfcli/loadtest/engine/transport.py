"""HTTP/1.1 over one keep-alive connection: one request, one answer, every fault classed."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import httptools

from perfcli.loadtest.engine.faults import FaultError, Kind, classify
from perfcli.loadtest.engine.streams import Address, Stream, open_stream

_DECODERS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


class Answer:
    """The answer to one request.

    Attributes:
        status: HTTP status.
        headers: As sent, in order.
        body: Decompressed.
        ended_ns: When its last byte came, on the clock of `perf_counter_ns`; what we do with it takes time of ours.
    """

    __slots__ = ("body", "ended_ns", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes, ended_ns: int) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.ended_ns = ended_ns


class Connection:
    """A connection that is opened when needed and kept while the server keeps it."""

    def __init__(
        self, address: Address, timeout_s: float, max_answer_bytes: int, on_resend: Callable[[], None]
    ) -> None:
        self._address = address
        self._timeout_ns = round(timeout_s * 1e9)
        self._max_answer_bytes = max_answer_bytes
        self._stream: Stream | None = None
        self._reply = _Reply()
        self._on_resend = on_resend

    def exchange(self, request: bytes, started_ns: int, *, bodiless: bool = False) -> Answer:
        """Send a request, head and body in one piece, and wait for its answer.

        Args:
            request: As it goes over the wire.
            started_ns: Now, on the clock of `perf_counter_ns`; time-outs count from here.
            bodiless: The answer has no body whatever its headers say: the method is HEAD.

        Raises:
            FaultError: There is no whole answer.
        """
        deadline_ns = started_ns + self._timeout_ns
        stream, kept = self._stream, self._stream is not None
        try:
            if stream is None:
                stream = self._open(deadline_ns)
            stream.deadline_ns = deadline_ns
            answer = self._exchange(stream, request, bodiless)
            if answer is None and kept:
                # RFC 9112, 9.3.1: a close between two requests is not the fault of either. A reset may also come from
                # a server that has seen the request: that shows in the count of those sent again.
                self.close()
                self._on_resend()
                stream = self._open(deadline_ns)
                answer = self._exchange(stream, request, bodiless)
        except BaseException as error:
            self.close()
            if isinstance(error, (OSError, httptools.HttpParserError)):
                raise self._fault(error) from error
            raise
        if answer is None:
            self.close()
            raise FaultError(Kind.RESET, "connection closed before the answer")
        if not self._reply.reusable:
            self.close()
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._reply = _Reply()

    def _open(self, deadline_ns: int) -> Stream:
        self._stream = open_stream(self._address, deadline_ns)
        return self._stream

    def _exchange(self, stream: Stream, request: bytes, bodiless: bool) -> Answer | None:
        """Return None when the connection ended before the first byte, and may have ended before the request came."""
        reply = self._reply
        reply.begin(bodiless)
        received = ended_ns = 0
        try:  # noqa: SIM105 - `suppress` costs 0.4 us for every request
            stream.send(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server may have answered before it closed: 413 to a long body, for instance.
        while not reply.done:
            try:
                data = stream.receive()
            except ConnectionResetError:
                if received:
                    raise
                return None
            ended_ns = time.perf_counter_ns()
            if not data:
                if received == 0:
                    if stream.was_taken():
                        raise FaultError(Kind.RESET, "connection closed before the answer")
                    return None
                reply.end_of_stream()
                break
            received += len(data)
            if received > self._max_answer_bytes:
                raise FaultError(Kind.PROTOCOL, f"answer longer than {self._max_answer_bytes} bytes")
            reply.parser.feed_data(data)
        return Answer(reply.status, reply.headers, reply.decoded(self._max_answer_bytes), ended_ns)

    def _fault(self, error: Exception) -> FaultError:
        if isinstance(error, httptools.HttpParserError):
            return FaultError(Kind.PROTOCOL, str(error))
        return classify(error)


class _Reply:
    """What the parser says of one answer after the other."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.begin(False)

    def begin(self, bodiless: bool) -> None:
        self.done = False
        self.reusable = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._headers_complete = False
        self._parts: list[bytes] = []
        self._encoding = b""
        self._bodiless = bodiless

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:
            return
        self.headers.append((name, value))
        if len(name) == 16 and name.lower() == b"content-encoding":
            self._encoding = value.strip().lower()

    def on_headers_complete(self) -> None:
        self._headers_complete = True
        if self._bodiless and not self.done:
            self.status = self.parser.get_status_code()
            self.done = self.status >= 200

    def on_body(self, data: bytes) -> None:
        if not self.done:
            self._parts.append(data)

    def on_message_begin(self) -> None:
        if self.done:
            # More than was asked for: whatever it is, the next answer could be taken for it.
            self.reusable = False

    def on_message_complete(self) -> None:
        if self.done:
            return
        self.status = self.parser.get_status_code()
        if self.status < 200:
            self.begin(self._bodiless)
            return
        self.reusable = self.parser.should_keep_alive()
        self.done = True

    def end_of_stream(self) -> None:
        """Take what came as the answer if neither length nor chunks promised more."""
        promised = {name.lower() for name, _ in self.headers} & {b"content-length", b"transfer-encoding"}
        self.status = self.parser.get_status_code()
        if promised or not self._headers_complete:
            raise FaultError(Kind.RESET, "connection closed in the middle of the answer")
        self.done = True

    def decoded(self, max_bytes: int) -> bytes:
        """Undo gzip and deflate.

        Raises:
            FaultError: The body is not what its encoding says, or is too long.
        """
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if not self._encoding or not body:
            return body
        if self._encoding not in _DECODERS:
            raise FaultError(Kind.PROTOCOL, f"content encoding {self._encoding.decode('latin-1')} was not asked for")
        parts: list[bytes] = []
        # Several members, one after another, are one gzip body: RFC 1952, section 2.2.
        while body:
            decoder, room = zlib.decompressobj(_DECODERS[self._encoding]), max_bytes - sum(map(len, parts))
            try:
                # No room left would mean no limit to zlib.
                part = decoder.decompress(body, room + 1)
            except zlib.error as error:
                raise FaultError(Kind.PROTOCOL, f"body is not {self._encoding.decode()}: {error}") from error
            if len(part) > room or not decoder.eof:
                raise FaultError(Kind.PROTOCOL, f"{self._encoding.decode()} body is cut off or too long")
            parts.append(part)
            body = decoder.unused_data
        return b"".join(parts)
