"""Workers that a master directs, on this machine and on another: a network namespace stands in for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

SERVER = Path(__file__).parents[1] / "engine" / "server.py"
Start = Callable[..., Any]
TOLD_APART = """
import os
from locust import task
from perfcli.loadtest.engine.users import InferenceUser

class Client(InferenceUser):
    @task
    def predict(self):
        self.post(self.payload(), f"/fast/{os.getpid()}")
"""
"""Requests tell by their path which process they come from."""


@pytest.fixture
def port(unused_port: int) -> int:
    return unused_port


@dataclass
class OtherMachine:
    """A network namespace, joined to this one by a cable, whose clock was started on another day.

    Attributes:
        name: Of the namespace.
        here: Our address on the cable.
        clock: Command that gives another its own clock; empty where the kernel does not allow it.
    """

    name: str
    here: str
    clock: tuple[str, ...]

    def start(self, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.clock, "ip", "netns", "exec", self.name, sys.executable, "-m", "perfcli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )


@pytest.fixture
def other_machine() -> Iterator[OtherMachine]:
    name = f"perfcli-{os.getpid()}"
    here, there, cable = "10.255.253.1", "10.255.253.2", f"pc{os.getpid() % 100000}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {cable} type veth peer name {cable}p",
        f"ip link set {cable}p netns {name}",
        f"ip addr add {here}/30 dev {cable}",
        f"ip link set {cable} up",
        f"ip netns exec {name} ip addr add {there}/30 dev {cable}p",
        f"ip netns exec {name} ip link set {cable}p up",
        f"ip netns exec {name} ip link set lo up",
    ]
    try:
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no second machine: the kernel does not allow '{command}': {done.stderr.strip()}")
        yield OtherMachine(name, here, _another_clock())
    finally:
        subprocess.run(["ip", "link", "del", cable], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _another_clock() -> tuple[str, ...]:
    command = ("unshare", "--time", "--monotonic", "86400")
    if shutil.which(command[0]) is None:
        return ()
    return () if subprocess.run([*command, "true"], capture_output=True, check=False).returncode else command


def test_what_two_workers_sent_is_what_the_server_served(server: Any, start: Start, port: int) -> None:
    workers = [start("worker", "--master-port", str(port)) for _ in range(2)]
    outcome = start(
        *("load", "--host", server.url, "--path", "/sleep?s=0.02", "-u", "5", "--requests", "201"),
        *("--master", "--expect-workers", "2", "--master-bind", f"127.0.0.1:{port}", "--warm-up", "none", "--json"),
    ).finish()

    assert outcome.code == 0, outcome.stderr
    assert (outcome.record["total"]["requests"], server.served()) == (201, 201)
    assert outcome.record["generator"]["processes"] == 2
    ended = [worker.finish() for worker in workers]
    assert [worker.code for worker in ended] == [0, 0], ended


def test_a_worker_that_dies_is_named_and_the_run_goes_on(server: Any, start: Start, port: int) -> None:
    workers = [start("worker", "--master-port", str(port)) for _ in range(2)]
    command = start(
        *("load", "--host", server.url, "--path", "/sleep?s=0.05", "-u", "4", "-t", "8s"),
        *("--master", "--expect-workers", "2", "--master-bind", f"127.0.0.1:{port}", "--warm-up", "none", "--json"),
    )
    server.wait_for_requests(20)
    for engine in psutil.Process(workers[0].process.pid).children():
        engine.send_signal(signal.SIGKILL)
    outcome = command.finish()

    assert outcome.code == 0, outcome.stderr
    lost = [warning["message"] for warning in outcome.record["warnings"] if warning["code"] == "worker_lost"]
    assert len(lost) == 1
    assert "was lost after" in lost[0]
    assert outcome.record["partial"] is False
    # What the dead one had not reported yet is missing, and nothing else; its two users send 20 in 0.5 s.
    assert server.started() - 100 <= outcome.requests <= server.started()
    assert workers[0].finish().code == 3
    assert workers[1].finish().code == 0


@pytest.mark.skipif(shutil.which("ip") is None, reason="needs the command ip of iproute2")
def test_a_worker_on_another_machine_is_counted_like_one_here_and_keeps_its_turn(
    other_machine: OtherMachine, start: Start, cache: dict[str, str], port: int, scenario: Callable[[str], str]
) -> None:
    server = subprocess.Popen(
        [sys.executable, str(SERVER), "--host", other_machine.here], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = f"http://{other_machine.here}:{int(server.stdout.readline())}"
    address = ("--master-host", other_machine.here, "--master-port", str(port))
    there = other_machine.start("worker", *address, environment=cache)
    here = start("worker", *address)
    try:
        outcome = start(
            *("load", "--host", url, "--rate", "20", "-t", "4s", "--yes", "--json"),
            *("--scenario", scenario(TOLD_APART), "--warm-up", "none"),
            *("--master", "--expect-workers", "2", "--master-bind", f"{other_machine.here}:{port}"),
        ).finish()
        with urlopen(f"{url}/arrivals", timeout=10) as answer:
            arrivals_ns = list(json.load(answer).values())
    finally:
        there.communicate(timeout=60)
        server.terminate()
        server.communicate()

    assert outcome.code == 0, outcome.stderr
    assert [len(own) for own in arrivals_ns] == [40, 40]
    assert outcome.requests == outcome.record["arrivals"]["sent"] == 80
    assert outcome.record["generator"]["processes"] == 2
    assert there.returncode == here.finish().code == 0
    assert f"{url} is not this machine. It would get about 80 requests in 4.00 s." in outcome.stderr
    # Each sends every 100 ms. Machines and cables only delay, so the earliest of 40 tells a schedule.
    first_ms, second_ms = (min(at / 1e6 - 100 * index for index, at in enumerate(own)) for own in arrivals_ns)
    assert abs(first_ms - second_ms) == pytest.approx(50, abs=20)
