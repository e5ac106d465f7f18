"""A server whose capacity is known because it measures it: four slots, each of them busy for 20 ms with a request.

Run as a process, it prints the port it listens on and serves until it is terminated. `GET /capacity` answers
`{"capacity_rps", "served"}`: how many requests per second the slots got through while requests waited for them, which
is a little less than 200, because timers wake late and the machine has other work; null when none ever waited.
"""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import dataclass, field

SLOTS = 4
BUSY_S = 0.02
PREDICTION = b'{"predictions":[1]}'


@dataclass
class Slots:
    """The slots, what waits for them, and the time from one request to the next that waited already."""

    waiting: asyncio.Queue[asyncio.Future[None]] = field(default_factory=asyncio.Queue)
    served: int = 0
    cycles: int = 0
    cycles_s: float = 0.0

    async def work(self) -> None:
        """Be one slot."""
        clock = asyncio.get_running_loop().time
        while True:
            request = await self.waiting.get()
            started_s = clock()
            while True:
                await asyncio.sleep(BUSY_S)
                self.served += 1
                if not request.done():
                    request.set_result(None)
                if self.waiting.empty():
                    break
                request = self.waiting.get_nowait()
                self.cycles, self.cycles_s, started_s = self.cycles + 1, self.cycles_s + clock() - started_s, clock()

    def report(self) -> bytes:
        """Return what was measured, as JSON."""
        capacity_rps = SLOTS * self.cycles / self.cycles_s if self.cycles else None
        return json.dumps({"capacity_rps": capacity_rps, "served": self.served}).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0))
                body = self.report()
                if not head.startswith(b"get /capacity "):
                    request = asyncio.get_running_loop().create_future()
                    self.waiting.put_nowait(request)
                    await request
                    body = PREDICTION
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    slots = Slots()
    workers = [asyncio.create_task(slots.work()) for _ in range(SLOTS)]
    server = await asyncio.start_server(slots.answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    for worker in workers:
        worker.cancel()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
