"""What monitoring costs a server: the same endpoint bare, off, light, under a budget, deep, and monitored naively.

All variants but the naive one, which breaks what is beside it, are applications of one server process: two processes
that do the same differ by more than the one per cent that is to be seen here. Drift of the machine has to hit all of
them alike: they are asked in bursts, in an order drawn anew each time, and the first requests of a burst are not
counted. They would find what a variant needs colder than it is in any service that does nothing else, because the
others ran since (one request at a stretch makes light monitoring look twice as costly); and after a deep profile
predictions are slow for a while. Eight clients keep the server busy with the burst before; theirs are short.

The log is written up to a quarter of a second later, in the stretch of somebody else. Where eight clients leave no
processor time over, that counts as well: there each stretch is followed by a rest, and "CPU" is the processor time of
the whole server in both, per request, beside that of the bare application.

Of each turn the ratios to its bare requests are taken; shown is the median of these ratios with its interval of
confidence. "again" is the bare application once more: what it is away from 1 is what cannot be told here and now.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import chain
from statistics import fmean, median
from typing import TYPE_CHECKING

from perfcli.bundled import bundled_path
from perfcli.statistics import median_interval, percentile

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

BODY = bundled_path("sample_payloads/malignant.json").read_bytes()
REQUESTS = 24
ON = {"enable_performance_monitoring": True}
VARIANTS: dict[str, dict[str, object] | None] = {
    "bare": None,
    "again": None,
    "off": {},
    "light": ON | {"performance_sample_rate": 0},
    "dead-redis": ON | {"performance_sample_rate": 0, "logging_handler": ("redis",)},
    "budget": ON | {"performance_overhead_budget": 0.01},
    "deep": ON,
    "naive": None,
}
CHEAP = ("bare", "again", "off", "light", "budget", "dead-redis")
COSTLY = ("bare", "again", "deep", "naive")
TARGETS = {"off": "1.01", "light": "1.01", "budget": "1.015, median 1.005", "deep": "2.2", "naive": "(3.5)"}


def main() -> None:
    """Print what the cheap and the costly variants cost one client and eight."""
    compare(CHEAP, clients=1, burst=8, turns=200, settling=2)
    compare(CHEAP, clients=8, burst=3, turns=60, rest_s=0.3)
    compare(COSTLY, clients=1, burst=REQUESTS, turns=30, settling=8)
    compare(COSTLY, clients=8, burst=3, turns=30)


def compare(names: Sequence[str], clients: int, burst: int, turns: int, settling: int = 0, rest_s: float = 0.0) -> None:
    """Ask variants in turn, `REQUESTS` requests each, so many of each client at a stretch; print what each costs."""
    seen_s: dict[str, list[list[float]]] = {name: [] for name in names}
    cpu_s: dict[str, list[list[float]]] = {name: [] for name in names}
    with ExitStack() as running:
        # A store that takes connections and never answers.
        hung = running.enter_context(socket.create_server(("127.0.0.1", 0)))
        environment = {"REDIS_URL": f"redis://127.0.0.1:{hung.getsockname()[1]}", "LOG_SPOOL_MAX_BYTES": "0"}
        servers = {which: start(running, which, environment) for which in ("ours", "naive")}
        ports = {which: port for which, (port, _) in servers.items()}
        cpu_now_s = partial(process_cpu_s, servers["ours"][1])
        pool = running.enter_context(ThreadPoolExecutor(clients))
        asking = [Client(ports) for _ in range(clients)]
        for turn in range(-1, turns):
            own: dict[str, list[float]] = {name: [] for name in names}
            own_cpu_s = dict.fromkeys(names, 0.0)
            for _ in range(REQUESTS // (clients * burst)):
                for name in random.sample(names, len(names)):
                    asking[0].ask(name, settling)
                    own_cpu_s[name] -= cpu_now_s()
                    own[name].extend(
                        chain.from_iterable(pool.map(partial(Client.ask, name=name, requests=burst), asking))
                    )
                    time.sleep(rest_s)
                    own_cpu_s[name] += cpu_now_s()
            for name in names if turn >= 0 else ():
                seen_s[name].append(own[name])
                cpu_s[name].append([own_cpu_s[name]])
    print(f"\n{clients} client(s), {turns} turns of {REQUESTS} requests, {burst} at a stretch")
    bare_s = list(chain.from_iterable(seen_s["bare"]))
    print(f"bare: mean {fmean(bare_s) * 1e3:.2f} ms, median {median(bare_s) * 1e3:.2f} ms")
    print_table(seen_s)
    if rest_s:
        print("CPU time of the server for a request, that of writing the log included:")
        for name in names:
            print(f"{name:10} {summary(ratios(cpu_s[name], cpu_s['bare'], fmean))}")


def process_cpu_s(pid: int) -> float:
    """Return the CPU time of all threads of another process; Linux makes the number of its clock so."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def summary(means: Sequence[float]) -> str:
    """Write the median of ratios and its interval of confidence."""
    low, high = median_interval(means) or (float("nan"), float("nan"))
    return f"{median(means):7.3f} {f'{low:.3f} to {high:.3f}':>16}"


def print_table(seen_s: dict[str, list[list[float]]]) -> None:
    """Print a line for each variant; latencies come by turn."""
    interval = f"{'95 % interval':>16}"
    print(f"{'':10} {'mean':>7} {interval} {'median':>7} {interval} {'p99 ms':>8} {'failed':>7}   target of the mean")
    for name, own in seen_s.items():
        failed = len(own) * REQUESTS - sum(map(len, own))
        if not any(own):
            print(f"{name:10} {'':59} {failed:7}")
            continue
        means, medians = ratios(own, seen_s["bare"], fmean), ratios(own, seen_s["bare"], median)
        p99_ms = percentile([latency_s for turn in own for latency_s in turn], 0.99) * 1e3
        line = f"{name:10} {summary(means)} {summary(medians)} {p99_ms:8.2f} {failed:7}"
        print(f"{line}   {TARGETS.get(name, '')}")


def ratios(own: list[list[float]], bare: list[list[float]], average: Callable[[list[float]], float]) -> list[float]:
    """Compare each turn in which something was answered with the bare requests of it."""
    return [average(seen_s) / average(bare_s) for seen_s, bare_s in zip(own, bare, strict=True) if seen_s]


class Client:
    """Keeps a connection to each server, and does no more than it must: its own time is no latency of theirs."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports
        self._connections: dict[int, socket.socket] = {}

    def ask(self, name: str, requests: int) -> list[float]:
        """Make requests one after the other; return the latencies of those that were answered."""
        port = self._ports["naive" if name == "naive" else "ours"]
        request = b"POST /%b/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n" % name.encode()
        request += b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
        latencies_s: list[float] = []
        for _ in range(requests):
            try:
                if port not in self._connections:
                    self._connections[port] = socket.create_connection(("127.0.0.1", port))
                    self._connections[port].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                started_s = time.perf_counter()
                self._connections[port].sendall(request)
                status = read_answer(self._connections[port])
                ended_s = time.perf_counter()
            except OSError:
                if (broken := self._connections.pop(port, None)) is not None:
                    broken.close()
                continue
            # From Python 3.12 on the naive monitor answers two clients at once with errors, and may end its process.
            if status == b"200":
                latencies_s.append(ended_s - started_s)
        return latencies_s


def read_answer(connection: socket.socket) -> bytes:
    """Wait for the last byte of an answer; return its status."""
    received = b""
    while (head := received.find(b"\r\n\r\n") + 4) < 4:
        received += read_some(connection)
    length = int(received[:head].lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
    while len(received) < head + length:
        received += read_some(connection)
    return received[9:12]


def read_some(connection: socket.socket) -> bytes:
    """Return what has arrived, at least a byte."""
    if not (received := connection.recv(2**16)):
        raise ConnectionError("the server has closed the connection")
    return received


def start(running: ExitStack, which: str, environment: dict[str, str]) -> tuple[int, int]:
    """Start a server; return its port, where a first client waits until it answers, and its process number."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.bench_server", which, str(listener.fileno())],
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            # The naive monitor complains there.
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
        running.callback(server.wait)
        running.callback(server.kill)
        port: int = listener.getsockname()[1]
    return port, server.pid


def serve(which: str, descriptor: int) -> None:
    """Serve the variants of one process."""
    import uvicorn

    names = ["naive"] if which == "naive" else [name for name in VARIANTS if name != "naive"]
    apps = {name: make_app(name) for name in names}

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        # Not by mounted routes, which are tried one after the other: the last one would be half a per cent slower.
        _, name, path = scope["path"].split("/")
        await apps[name]({**scope, "path": f"/{path}"}, receive, send)

    config = uvicorn.Config(dispatch, http="httptools", lifespan="off", access_log=False, log_level="error")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def make_app(name: str) -> ASGIApp:
    """Make one variant of the same application."""
    from fastapi import FastAPI

    from perfcli import instrument
    from perfcli.logs import open_delivery
    from perfcli.logs.library import open_monitor
    from perfcli.patient_model import patient_model
    from perfcli.settings import load_settings
    from tests.benchmarks.naive_monitor import NaiveMonitor

    naive_monitor = NaiveMonitor()
    app = FastAPI()

    def predict(patient: dict[str, float]) -> list[int]:
        return patient_model.predict(patient)

    def predict_naively(patient: dict[str, float]) -> list[int]:
        with naive_monitor.profile():
            answer = patient_model.predict(patient)
        naive_monitor.log_metrics(naive_monitor.get_metrics())
        return answer

    app.post("/predict")(predict_naively if name == "naive" else predict)
    changes = VARIANTS[name]
    if changes is not None:
        settings = load_settings(changes)
        instrument(app, open_monitor(settings, open_delivery(settings)))
    return app


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
