"""A server whose behaviour is known: the path names a mode, the query its numbers, and it counts what it served.

Run as a process, it prints the port it listens on and serves until it is terminated. `GET /count` answers
`{"started", "served", "connections"}`; `GET /times` the service times in nanoseconds, from the last byte of a request
to the first of its answer, by path, and `GET /exchanges` both moments; all leave the counts alone. `served` counts
answers completely handed to the kernel, `started` requests completely read, by path.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import math
import random
import signal
import ssl
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Exchange:
    """One request, and what a mode needs to answer it."""

    server: Server
    writer: asyncio.StreamWriter
    path: str
    query: dict[str, float]
    headers: dict[str, str]
    body: bytes
    index: int
    received_ns: int

    def answer(self, status: str = "200 OK", body: bytes | None = None, headers: str = "") -> None:
        content = self.predictions() if body is None else body
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
        self.raw(head.encode() + content)

    def raw(self, data: bytes) -> None:
        self.server.exchanges[self.path].append((self.received_ns, time.perf_counter_ns()))
        self.writer.write(data)

    def predictions(self) -> bytes:
        rows = json.loads(self.body) if self.body else {}
        count = len(rows) if isinstance(rows, list) else 1
        if "proba" in self.path:
            return json.dumps({"probabilities": [[0.25, 0.75]] * count}).encode()
        return json.dumps({"predictions": [1] * count}).encode()

    async def pause(self, seconds: float) -> None:
        """Sleep to the microsecond: below 3 ms the event loop's own timer would round."""
        deadline = time.perf_counter() + seconds
        if seconds > 0.003:
            await asyncio.sleep(seconds - 0.002)
        while time.perf_counter() < deadline:  # noqa: ASYNC110 - no event tells that time has passed
            await asyncio.sleep(0)


@dataclass
class Server:
    """What is counted, and what modes share."""

    random: random.Random = field(default_factory=lambda: random.Random(7))
    started: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    exchanges: defaultdict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    arrivals: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    connections: set[asyncio.StreamWriter] = field(default_factory=set)
    first_ns: int = 0
    slots: asyncio.Semaphore | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await self.exchange(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass
        finally:
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        now = time.perf_counter_ns()
        url = urlsplit(first.split()[1])
        if url.path in REPORTS:
            content = json.dumps(REPORTS[url.path](self)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
            await writer.drain()
            return
        self.connections.add(writer)
        self.first_ns = self.first_ns or now
        self.started[url.path] += 1
        self.arrivals[url.path].append(now)
        query = {key: float(value) for key, value in parse_qsl(url.query)}
        mode = MODES.get(url.path.strip("/").split("/")[0], fast)
        await mode(Exchange(self, writer, url.path, query, headers, body, self.started[url.path], now))
        await writer.drain()
        self.served[url.path] += 1


async def fast(exchange: Exchange) -> None:
    exchange.answer()


async def sleep(exchange: Exchange) -> None:
    await exchange.pause(exchange.query["s"])
    exchange.answer()


async def bimodal(exchange: Exchange) -> None:
    """Nine fast to one slow."""
    await exchange.pause(
        exchange.query.get("slow", 0.02) if exchange.index % 10 == 0 else exchange.query.get("fast", 0.002)
    )
    exchange.answer()


async def lognormal(exchange: Exchange) -> None:
    median = exchange.query.get("median", 0.003)
    await exchange.pause(exchange.server.random.lognormvariate(math.log(median), exchange.query.get("sigma", 0.5)))
    exchange.answer()


async def half_503(exchange: Exchange) -> None:
    """Every second request fails at once, the others take their time."""
    if exchange.index % 2 == 0:
        exchange.answer("503 Service Unavailable", b'{"detail": "overloaded"}')
        return
    await exchange.pause(exchange.query.get("s", 0.02))
    exchange.answer()


async def stall(exchange: Exchange) -> None:
    """Frozen for the first `for` seconds of every `every`, counted from the first request on."""
    every_ns, frozen_ns = int(exchange.query["every"] * 1e9), int(exchange.query["for"] * 1e9)
    phase = (exchange.received_ns - exchange.server.first_ns + every_ns // 2) % every_ns
    if phase < frozen_ns:
        await asyncio.sleep((frozen_ns - phase) / 1e9)
    exchange.answer()


async def cold(exchange: Exchange) -> None:
    """Ten times slower for its first seconds."""
    warm = exchange.received_ns - exchange.server.first_ns > exchange.query.get("for", 5) * 1e9
    await exchange.pause(exchange.query.get("s", 0.004) * (1 if warm else 10))
    exchange.answer()


async def semaphore(exchange: Exchange) -> None:
    """A pool of `slots` workers that take `s` each: the capacity is slots / s."""
    if exchange.server.slots is None:
        exchange.server.slots = asyncio.Semaphore(int(exchange.query.get("slots", 4)))
    async with exchange.server.slots:
        await exchange.pause(exchange.query.get("s", 0.02))
    exchange.answer()


async def status(exchange: Exchange) -> None:
    code = int(exchange.query["code"])
    body = b"" if code in (204, 304) else b'{"detail": "as asked"}'
    if body:
        exchange.answer(f"{code} Whatever", body, "Location: /elsewhere\r\n")
    else:
        exchange.raw(f"HTTP/1.1 {code} Whatever\r\n\r\n".encode())


async def garbage(exchange: Exchange) -> None:
    exchange.raw(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n" * 3)


async def slow_drip(exchange: Exchange) -> None:
    """One byte at a time, `s` apart."""
    exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        await asyncio.sleep(exchange.query["s"])
        exchange.writer.write(b"x")
        await exchange.writer.drain()


async def close_mid_answer(exchange: Exchange) -> None:
    exchange.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"predic')
    await exchange.writer.drain()
    exchange.writer.close()


async def close_without_answer(exchange: Exchange) -> None:
    exchange.writer.close()


async def close_after_answer(exchange: Exchange) -> None:
    """Without announcing it, as a keep-alive time-out does."""
    exchange.answer()
    await exchange.writer.drain()
    exchange.writer.close()


async def announce_close(exchange: Exchange) -> None:
    exchange.answer(headers="Connection: close\r\n")
    await exchange.writer.drain()
    exchange.writer.close()


async def reset(exchange: Exchange) -> None:
    exchange.writer.transport.abort()


async def silent(exchange: Exchange) -> None:
    await asyncio.sleep(3600)


async def chunked(exchange: Exchange) -> None:
    body = exchange.predictions()
    exchange.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 7):
        part = body[start : start + 7]
        exchange.writer.write(b"%x;ext=1\r\n" % len(part) + part + b"\r\n")
        await exchange.writer.drain()
    exchange.writer.write(b"0\r\nTrailer: yes\r\n\r\n")


async def bad_chunk(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnope\r\n")


async def compressed(exchange: Exchange) -> None:
    exchange.answer(body=gzip.compress(exchange.predictions()), headers="Content-Encoding: gzip\r\n")


async def two_members(exchange: Exchange) -> None:
    body = exchange.predictions()
    members = gzip.compress(body[:5]) + gzip.compress(body[5:])
    exchange.answer(body=members, headers="Content-Encoding: gzip\r\n")


async def gzip_and_more(exchange: Exchange) -> None:
    exchange.answer(body=gzip.compress(exchange.predictions()) + b"more", headers="Content-Encoding: gzip\r\n")


async def deflated(exchange: Exchange) -> None:
    exchange.answer(body=zlib.compress(exchange.predictions()), headers="Content-Encoding: deflate\r\n")


async def bad_gzip(exchange: Exchange) -> None:
    exchange.answer(body=b"not gzip at all", headers="Content-Encoding: gzip\r\n")


async def until_close(exchange: Exchange) -> None:
    """Neither length nor chunks: the answer ends with the connection."""
    exchange.raw(b"HTTP/1.0 200 OK\r\n\r\n" + exchange.predictions())
    await exchange.writer.drain()
    exchange.writer.close()


async def interim(exchange: Exchange) -> None:
    exchange.writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    exchange.answer()


async def huge(exchange: Exchange) -> None:
    exchange.answer(body=b"x" * int(exchange.query["bytes"]))


async def endless_head(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: yes\r\n" * 200_000)


async def two_lengths(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}   ")


async def literal(exchange: Exchange) -> None:
    """Answer with what was sent."""
    exchange.answer(body=exchange.body)


async def nan(exchange: Exchange) -> None:
    exchange.answer(body=b'{"probabilities": [[NaN, 1.0]]}')


async def short(exchange: Exchange) -> None:
    exchange.answer(body=b'{"predictions": []}')


async def improbable(exchange: Exchange) -> None:
    exchange.answer(body=b'{"probabilities": [[0.5, 1.5]]}')


MODES: dict[str, Callable[[Exchange], Awaitable[None]]] = {
    mode.__name__.replace("_", "-"): mode
    for mode in (
        fast, sleep, bimodal, lognormal, half_503, stall, cold, semaphore, status, garbage, slow_drip,
        close_mid_answer, close_without_answer, close_after_answer, announce_close, reset, silent, chunked, bad_chunk,
        compressed, deflated, bad_gzip, until_close, interim, huge, endless_head, two_lengths, literal, nan, short,
        improbable, two_members, gzip_and_more,
    )
}  # fmt: skip

REPORTS: dict[str, Callable[[Server], object]] = {
    "/count": lambda server: {
        "started": dict(server.started),
        "served": dict(server.served),
        "connections": len(server.connections),
    },
    "/times": lambda server: {
        path: [answered - received for received, answered in pairs] for path, pairs in server.exchanges.items()
    },
    "/exchanges": lambda server: dict(server.exchanges),
    "/arrivals": lambda server: dict(server.arrivals),
}


async def main(host: str, certificate: str | None) -> None:
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    listener = await asyncio.start_server(Server().serve, host, 0, ssl=context, backlog=4096)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--certificate", help="PEM file with key and certificates; serves TLS")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.host, arguments.certificate))
