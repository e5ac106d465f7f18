"""The engine beside Locust's own clients, wrk and hey, in one run against one nginx.

Needs nginx, wrk and hey (Debian: `apt-get install nginx-light wrk hey`); what is missing is named and left out. The
server has one core, the generator another. The tools take turns in short rounds, so that a noisy neighbour hits all.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from perfcli.loadtest.buckets import highest_in_bucket
from perfcli.loadtest.engine.merge import merge_latencies
from perfcli.loadtest.messages import Latencies, Message, Second
from perfcli.loadtest.plan import Plan, plan_to_json
from perfcli.loadtest.wire import from_line
from tests.benchmarks.nginx import running_nginx

ROUNDS = 3
ROUND_S = 2.0
USERS = 20
FIXED_RPS = 2000.0
SERVER_CORE, GENERATOR_CORE = 0, 1
PAYLOAD = '{"mean_radius": 17.99, "mean_texture": 10.38, "mean_perimeter": 122.8}'
SCENARIO = """
from locust import BASE, constant_throughput, task

class Client(BASE):
    wait_time = WAIT_TIME

    @task
    def predict(self):
        self.client.post("/predict", data=PAYLOAD, headers={"Content-Type": "application/json"})
"""


@dataclass
class Generator:
    """One tool under test.

    Attributes:
        name: What it is called.
        run: Does one round and returns requests per second and CPU microseconds per request.
        rates: Requests per second of each round.
        cpu_us: CPU time per request of each round, in microseconds.
    """

    name: str
    run: Callable[[], tuple[float, float]]
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def main() -> None:
    """Print the comparison."""
    missing = [tool for tool in ("nginx", "wrk", "hey") if shutil.which(tool) is None]
    if missing:
        print(f"not installed: {', '.join(missing)} (apt-get install nginx-light wrk hey)")
    if "nginx" in missing:
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        running_nginx(Path(folder), preexec_fn=lambda: _pin(SERVER_CORE)) as url,
    ):
        files = _files(Path(folder))
        plan = Plan(base_url=url, payload_file=files["payloads"], users=USERS, duration_s=ROUND_S)
        _compare_throughput(plan, url, files, missing)
        _compare_service_time(plan, url, files, missing)
        _compare_processes(plan)
        _check_memory(plan)


def _compare_throughput(plan: Plan, url: str, files: dict[str, str], missing: list[str]) -> None:
    generators = [
        Generator("perfcli", lambda: _engine_round(plan)),
        Generator("FastHttpUser", lambda: _engine_round(replace(plan, scenario=files["FastHttpUser"]))),
        Generator("HttpUser", lambda: _engine_round(replace(plan, scenario=files["HttpUser"]))),
    ]
    if "hey" not in missing:
        generators.append(Generator("hey", lambda: _tool_round(lambda: _hey(url))))
    if "wrk" not in missing:
        generators.append(Generator("wrk", lambda: _tool_round(lambda: _wrk(url, files["lua"], USERS, ROUND_S)[0])))
    for _ in range(ROUNDS):
        for generator in generators:
            rate, cpu_us = generator.run()
            generator.rates.append(rate)
            generator.cpu_us.append(cpu_us)
    own_rates, own_cpu = generators[0].rates, generators[0].cpu_us
    print(f"throughput, {USERS} connections, one core each, median of {ROUNDS} rounds")
    for generator in generators:
        cpu_us = statistics.median(generator.cpu_us)
        print(
            f"  {generator.name:13} {statistics.median(generator.rates):9.0f}/s"
            f"  perfcli does {_ratio(own_rates, generator.rates):6.2f} x as many"
            f"; {cpu_us:7.1f} us of CPU each, {_ratio(generator.cpu_us, own_cpu):6.2f} x perfcli's"
        )


def _engine_round(plan: Plan) -> tuple[float, float]:
    """Return requests per second and CPU microseconds per request of the whole seconds."""
    seconds = [message for message in run_engine(plan) if isinstance(message, Second)]
    whole = [second for second in seconds if second.elapsed_s > 0.9]
    requests, elapsed_s = _count(whole), sum(second.elapsed_s for second in whole)
    return requests / elapsed_s, sum(second.cpu_ratio * second.elapsed_s for second in whole) / requests * 1e6


def _tool_round(run: Callable[[], float]) -> tuple[float, float]:
    before = os.times()
    rate = run()
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return rate, cpu_s / (rate * ROUND_S) * 1e6


def _compare_service_time(plan: Plan, url: str, files: dict[str, str], missing: list[str]) -> None:
    own, fast, lag = [], [], []
    wrk: dict[str, list[float]] = {"wrk, one connection, no pause": [], "wrk, two, 1 ms of pause (1800/s)": []}
    fixed = replace(plan, open_loop=True, rate=FIXED_RPS, duration_s=ROUND_S)
    for _ in range(ROUNDS):
        messages = run_engine(fixed)
        own.append(_percentile_us(_merged(messages, "service"), 0.5))
        lag.append(_percentile_us(merge_latencies(m.lag for m in messages if isinstance(m, Second)), 0.99))
        # As one has to do it there: users who each keep their part of the rate.
        paced = replace(plan, duration_s=ROUND_S, scenario=files["paced FastHttpUser"])
        fast.append(_percentile_us(_merged(run_engine(paced), "response"), 0.5))
        if "wrk" not in missing:
            # Between two requests a paced client and its server fall asleep, and waking both is most of the time.
            for measured, lua, connections in zip(wrk.values(), ("lua", "paced lua"), (1, 2), strict=True):
                measured.append(_wrk(url, files[lua], connections, ROUND_S)[1])
    print(f"service time at {FIXED_RPS:.0f}/s, median of {ROUNDS} rounds")
    print(f"  perfcli p50 {statistics.median(own):.0f} us; lag of the schedule p99 {statistics.median(lag):.0f} us")
    for name, theirs in {"FastHttpUser": fast, **wrk}.items():
        if theirs:
            print(f"  {name}, p50 {statistics.median(theirs):.0f} us: perfcli is {_ratio(own, theirs):.2f} x")


def _compare_processes(plan: Plan) -> None:
    """Compare the requests per second of two processes with those of one."""
    cores = len(os.sched_getaffinity(0))
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for processes, measured in rates.items():
            messages = run_engine(replace(plan, processes=processes), pinned=cores < 3 and processes == 1)
            measured.append(_count(messages) / plan.duration_s)
    enough = "" if cores >= 3 else ": too few for two processes and a server, so this says nothing"
    print(f"two processes make {_ratio(rates[2], rates[1]):.2f} x the requests of one, on {cores} cores{enough}")


def _check_memory(plan: Plan) -> None:
    """Compare resident memory at half a million requests with that at the end, which PERFCLI_BENCH_REQUESTS sets."""
    requests = int(os.environ.get("PERFCLI_BENCH_REQUESTS", "5000000"))
    sent, early_bytes, late_bytes = 0, 0, 0
    for message in run_engine(replace(plan, duration_s=None, requests=requests)):
        if isinstance(message, Second):
            sent += message.sent
            early_bytes = early_bytes or (message.rss_bytes if sent >= 500_000 else 0)
            late_bytes = message.rss_bytes
    print(f"memory: after {sent} requests {late_bytes / early_bytes:.3f} x that after 500000")


def run_engine(plan: Plan, *, pinned: bool = True) -> list[Message]:
    """Run the engine, on its core or wherever there is room."""
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "perfcli.loadtest.engine", str(writer)],
        stdin=subprocess.PIPE,
        pass_fds=(writer,),
        preexec_fn=(lambda: _pin(GENERATOR_CORE)) if pinned else None,
    )
    os.close(writer)
    assert child.stdin is not None
    child.stdin.write(plan_to_json(plan).encode())
    child.stdin.close()
    with os.fdopen(reader) as lines:
        messages = [from_line(line) for line in lines]
    child.wait()
    return messages


def _hey(url: str) -> float:
    command = ["hey", "-z", f"{ROUND_S}s", "-c", str(USERS), "-m", "POST", "-T", "application/json", "-d", PAYLOAD]
    text = _output([*command, f"{url}/predict"], GOMAXPROCS="1")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def _wrk(url: str, lua: str, connections: int, duration_s: float) -> tuple[float, float]:
    """Return requests per second and the median latency in microseconds."""
    text = _output(["wrk", "-t1", f"-c{connections}", f"-d{duration_s:.0f}s", "--latency", "-s", lua, f"{url}/predict"])
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms)", text).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), float(value) * {"us": 1, "ms": 1000}[unit]


def _output(command: list[str], **environment: str) -> str:
    return subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        preexec_fn=lambda: _pin(GENERATOR_CORE),
    ).stdout


def _files(folder: Path) -> dict[str, str]:
    contents = {
        "payloads": ("payloads.jsonl", PAYLOAD + "\n"),
        "lua": (
            "post.lua",
            f"wrk.method = 'POST'\nwrk.body = '{PAYLOAD}'\nwrk.headers['Content-Type'] = 'application/json'\n",
        ),
    }
    contents["paced lua"] = ("paced.lua", contents["lua"][1] + "function delay() return 1 end\n")
    paced = f"constant_throughput({FIXED_RPS / USERS})"
    for key, base, wait_time in (
        ("HttpUser", "HttpUser", "lambda self: 0"),
        ("FastHttpUser", "FastHttpUser", "lambda self: 0"),
        ("paced FastHttpUser", "FastHttpUser", paced),
    ):
        text = SCENARIO.replace("BASE", base).replace("PAYLOAD", repr(PAYLOAD)).replace("WAIT_TIME", wait_time)
        contents[key] = (f"{key.lower().replace(' ', '_')}.py", text)
    paths = {}
    for key, (name, content) in contents.items():
        (folder / name).write_text(content)
        paths[key] = str(folder / name)
    return paths


def _count(messages: Sequence[Message]) -> int:
    return sum(
        endpoint.succeeded.count
        for message in messages
        if isinstance(message, Second)
        for endpoint in message.endpoints
    )


def _merged(messages: list[Message], field_name: str) -> Latencies:
    return merge_latencies(
        getattr(endpoint.succeeded, field_name)
        for message in messages
        if isinstance(message, Second)
        for endpoint in message.endpoints
    )


def _percentile_us(latencies: Latencies, q: float) -> float:
    rank = q * latencies.total
    for bucket in sorted(latencies.counts):
        rank -= latencies.counts[bucket]
        if rank <= 0:
            return highest_in_bucket(bucket) / 1e3
    return float("nan")


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(ours) / statistics.median(theirs)


def _pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


if __name__ == "__main__":
    main()
