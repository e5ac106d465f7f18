"""A server that knows to the microsecond how long it took: one connection at a time, clocked by the kernel.

Run as a process, it prints the port it listens on and serves until it is terminated. The query names how long each
answer takes: `fixed=0.0004`, `fast=0.002&slow=0.02` (nine to one), `median=0.003&sigma=0.5` (log-normal). `GET /record`
answers `{"service_ns", "cycle_ns"}`: from the arrival of a request to its answer, as the client has to wait for it
however late this process is woken; and from there to the arrival of the next request, which is the most that a client
without a pause can have seen.
"""

from __future__ import annotations

import json
import math
import random
import socket
import struct
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

SO_TIMESTAMPNS = 35
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"predictions":[1]}'


@dataclass
class Record:
    """What was served."""

    arrived_ns: list[int] = field(default_factory=list)
    answered_ns: list[int] = field(default_factory=list)

    def report(self) -> bytes:
        pairs = zip(self.arrived_ns, self.answered_ns, strict=True)
        following = zip(self.arrived_ns, self.arrived_ns[1:], strict=False)
        body = json.dumps(
            {
                "service_ns": [answered - arrived for arrived, answered in pairs],
                "cycle_ns": [after - before for before, after in following],
            }
        )
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def serve(connection: socket.socket, record: Record, chance: random.Random) -> None:
    while True:
        data, ancillary, _, _ = connection.recvmsg(65536, 256)
        if not data:
            return
        arrived_ns = _stamp(ancillary)
        url = urlsplit(data.split(b" ", 2)[1].decode())
        if url.path == "/record":
            connection.sendall(record.report())
            continue
        query = {name: float(value) for name, value in parse_qsl(url.query)}
        _wait_until(arrived_ns + round(_service_s(query, len(record.arrived_ns), chance) * 1e9))
        record.arrived_ns.append(arrived_ns)
        record.answered_ns.append(time.time_ns())
        connection.sendall(ANSWER)


def _service_s(query: dict[str, float], index: int, chance: random.Random) -> float:
    if "fixed" in query:
        return query["fixed"]
    if "fast" in query:
        return query["slow"] if index % 10 == 9 else query["fast"]
    return chance.lognormvariate(math.log(query["median"]), query["sigma"])


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Return when the bytes came: the kernel noted it; without it, now is the best that is known."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("qq", data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return time.time_ns()


def _wait_until(at_ns: int) -> None:
    """Sleep most of the time and spin for the rest: `sleep` alone comes back up to 0.1 ms late."""
    time.sleep(max(0, at_ns - time.time_ns() - 300_000) / 1e9)
    while time.time_ns() < at_ns:
        pass


def main() -> None:
    record, chance = Record(), random.Random(7)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                serve(connection, record, chance)


if __name__ == "__main__":
    main()
