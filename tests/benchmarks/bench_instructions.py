"""What monitoring costs a server, counted instead of timed: instructions for a request, as valgrind's callgrind sees.

One per cent of a request is less than what a shared machine does to a clock. The number of instructions hardly differs
from run to run, and the cycles that are estimated from them and from simulated caches do so little more. They say
nothing of waiting, and of what the kernel does; `server` times the whole.

The applications are those of `server`. Under valgrind all takes some seventy times as long, so what goes by the clock
in the monitor is slowed down with it. What is counted until the last answer is there is shown on its own: it is what a
request waits for. The log is written after it, and adds to the mean where the next request comes at once; on a machine
so slow that the requests take longer than the log is gathered, a part of it is in both.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import sample
from statistics import median
from tempfile import TemporaryDirectory

from perfcli.logs import writer
from perfcli.monitor import clocks
from tests.benchmarks.bench_server import TARGETS, Client, serve

NAMES = ("bare", "again", "off", "light", "budget")
CALLGRIND = ("valgrind", "--tool=callgrind", "--cache-sim=yes", "--instr-atstart=no")
ROUNDS = 3
REQUESTS = 40
SETTLING = 30
SLOWER = 100
# After what the writer gathers is over, it writes.
WRITING_S = 4.0
# What a miss takes, in the first and in the last cache: the estimate of KCachegrind.
FIRST_MISS_CYCLES, LAST_MISS_CYCLES = 10, 100


def main() -> None:
    """Print instructions and estimated cycles of each variant for a request, relative to the bare application."""
    if shutil.which("callgrind_control") is None:
        print("skipped: valgrind is not installed")
        return
    seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in NAMES}
    with TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        counts = Path(folder) / "counts"
        server = subprocess.Popen(
            [*CALLGRIND, f"--callgrind-out-file={counts}", sys.executable, "-m", __name__, str(listener.fileno())],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
        try:
            client = Client({"ours": listener.getsockname()[1]})
            for name in NAMES:
                client.ask(name, SETTLING)
            wait_until_written(time.monotonic())
            control(server.pid, "--instr=on")
            for round_ in range(-1, ROUNDS):
                for name in sample(NAMES, len(NAMES)):
                    control(server.pid, "--zero")
                    begun_s = time.monotonic()
                    client.ask(name, REQUESTS)
                    control(server.pid, "--dump")
                    answering, answering_cycles = read(counts)
                    wait_until_written(begun_s)
                    control(server.pid, "--dump")
                    writing, writing_cycles = read(counts)
                    if round_ >= 0:
                        seen[name].append((answering, answering + writing, answering_cycles + writing_cycles))
        finally:
            server.kill()
            server.wait()
    bare = [median(each) for each in zip(*seen["bare"], strict=True)]
    print(f"1 client, {ROUNDS} rounds of {REQUESTS} requests; bare: {bare[1] / 1e6:.2f} million instructions")
    heads = (f"{head:>12} {'from, to':>16}" for head in ("to answer", "with the log", "its cycles"))
    print(f"{'':10}", *heads, "  target of the mean latency")
    for name, own in seen.items():
        line = f"{name:10}"
        for each, base in zip(zip(*own, strict=True), bare, strict=True):
            ratios = [value / base for value in each]
            line += f" {median(ratios):12.4f} {f'{min(ratios):.4f}, {max(ratios):.4f}':>16}"
        print(f"{line}   {TARGETS.get(name, '')}")


def wait_until_written(begun_s: float) -> None:
    """Wait until the log of the requests since then is written, the first of which began to gather."""
    gather_s = SLOWER * writer.GATHER_S
    time.sleep(gather_s - (time.monotonic() - begun_s) % gather_s + WRITING_S)


def control(pid: int, action: str) -> None:
    """Have the callgrind of a process do something."""
    subprocess.run(["callgrind_control", action, str(pid)], check=True, capture_output=True)


def read(counts: Path) -> tuple[float, float]:
    """Take the dump that was written last; return instructions and estimated cycles of a request."""
    text = ""
    while not (totals := re.search(r"^totals: (.*)\n", text, re.MULTILINE)):
        time.sleep(0.2)
        text = "".join(dump.read_text() for dump in counts.parent.glob(f"{counts.name}.*"))
    for dump in counts.parent.glob(f"{counts.name}.*"):
        dump.unlink()
    events = re.search(r"^events: (.*)\n", text, re.MULTILINE)
    assert events is not None
    # The last events are left out where there were none.
    seen = Counter(dict(zip(events[1].split(), map(int, totals[1].split()), strict=False)))
    first, last = (
        sum(seen[f"{kind}{level}m{way}"] for kind, way in (("I", "r"), ("D", "r"), ("D", "w"))) for level in ("1", "L")
    )
    cycles = seen["Ir"] + FIRST_MISS_CYCLES * first + LAST_MISS_CYCLES * last
    return seen["Ir"] / REQUESTS, cycles / REQUESTS


def serve_slowly(descriptor: int) -> None:
    """Serve what `server` serves, with a monitor whose clocks go slower."""
    import uvicorn

    async def wait_for_ever(server: uvicorn.Server) -> None:
        await server.on_tick(0)
        await asyncio.Event().wait()

    writer.GATHER_S *= SLOWER
    clocks.FRESH_NS *= SLOWER
    # A thread that waits for the interpreter asks for it anew each time this is over.
    sys.setswitchinterval(SLOWER * sys.getswitchinterval())
    # The server looks around ten times a second; while the log is gathered that would be more than what is to be seen.
    uvicorn.Server.main_loop = wait_for_ever
    serve("ours", descriptor)


if __name__ == "__main__":
    serve_slowly(int(sys.argv[1]))
