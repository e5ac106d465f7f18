"""What monitoring costs a server: the same endpoint bare, off, light, under a budget, deep, and monitored naively.

Every variant is a server of its own; all run at the same time and are asked in turn, a block of requests each, so that
a slow moment of the machine falls on all of them. Printed are ratios to the bare server.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from statistics import mean, median

from perfcli.bundled import bundled_path
from perfcli.statistics import percentile

BODY = bundled_path("sample_payloads/malignant.json").read_bytes()
BLOCK = 24
ON = {"ENABLE_PERFORMANCE_MONITORING": "true"}
VARIANTS: dict[str, dict[str, str]] = {
    "bare": {},
    "off": {"ENABLE_PERFORMANCE_MONITORING": "false"},
    "light": ON | {"PERFORMANCE_SAMPLE_RATE": "0"},
    "budget": ON | {"PERFORMANCE_OVERHEAD_BUDGET": "1%"},
    "deep": ON | {"PERFORMANCE_SAMPLE_RATE": "1"},
    "naive": {},
}


def main() -> None:
    """Print both tables and the effect of a dead store."""
    for clients, rounds in ((1, 20), (8, 10)):
        compare(VARIANTS, clients, rounds)
    with socket.create_server(("127.0.0.1", 0)) as hung:
        url = f"redis://127.0.0.1:{hung.getsockname()[1]}"
        stores = {
            "bare": {},
            "stdout": VARIANTS["light"],
            "dead redis": VARIANTS["light"] | {"LOGGING_HANDLER": "redis", "REDIS_URL": url},
        }
        compare(stores, clients=1, rounds=25)


def compare(variants: dict[str, dict[str, str]], clients: int, rounds: int) -> None:
    """Ask all variants in turn, in changing order, and print what each costs."""
    latencies_s: dict[str, list[float]] = {name: [] for name in variants}
    rates: dict[str, list[float]] = {name: [] for name in variants}
    with ExitStack() as running:
        ports = {name: start(running, name, environment) for name, environment in variants.items()}
        for port in ports.values():
            run_block(port, clients)
        for turn in range(rounds):
            names = list(variants)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                started_s = time.perf_counter()
                block_s = run_block(ports[name], clients)
                rates[name].append(len(block_s) / (time.perf_counter() - started_s))
                latencies_s[name] += block_s
    asked = len(latencies_s["bare"])
    print(f"\n{clients} client(s), {asked} requests each")
    print(f"{'':>12} {'mean':>7} {'median':>7} {'p99 ms':>8} {'req/s':>7} {'failed':>7}")
    for name, seen_s in latencies_s.items():
        bare_s = latencies_s["bare"]
        # Of each turn the ratio to the bare block beside it, and of those the median.
        rate = median(own / bare for own, bare in zip(rates[name], rates["bare"], strict=True))
        print(
            f"{name:>12} {mean(seen_s) / mean(bare_s):7.3f} {median(seen_s) / median(bare_s):7.3f} "
            f"{percentile(seen_s, 0.99) * 1e3:8.2f} {rate:7.3f} {asked - len(seen_s):7}"
        )


def run_block(port: int, clients: int) -> list[float]:
    """Make the requests of one block; return the latencies of those that were answered."""
    latencies_s: list[float] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(BLOCK // clients):
            started_s = time.perf_counter()
            connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            # From Python 3.12 on the naive monitor answers two clients at once with errors.
            if answer.status == 200:
                latencies_s.append(time.perf_counter() - started_s)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies_s


def start(running: ExitStack, name: str, environment: dict[str, str]) -> int:
    """Start one variant; return its port once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.bench_server", name, str(listener.fileno())],
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            # The naive monitor complains there.
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
        running.callback(server.wait)
        running.callback(server.kill)
        port: int = listener.getsockname()[1]
    run_block(port, 1)
    return port


def serve(name: str, descriptor: int) -> None:
    """Serve one variant of the same application."""
    import uvicorn
    from fastapi import FastAPI

    from perfcli import instrument
    from perfcli.patient_model import patient_model
    from tests.benchmarks.naive_monitor import NaiveMonitor

    app = FastAPI()
    naive_monitor = NaiveMonitor()

    def predict(patient: dict[str, float]) -> list[int]:
        return patient_model.predict(patient)

    def predict_naively(patient: dict[str, float]) -> list[int]:
        with naive_monitor.profile():
            answer = patient_model.predict(patient)
        naive_monitor.log_metrics(naive_monitor.get_metrics())
        return answer

    app.post("/predict")(predict_naively if name == "naive" else predict)
    if name not in {"bare", "naive"}:
        instrument(app)
    config = uvicorn.Config(app, http="httptools", access_log=False, log_level="error")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
