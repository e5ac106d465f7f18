from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from perfcli.loadtest.watch import ServerWatch, Watch, is_served_by_perfcli, watch_server

LISTENER = """
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
worker = subprocess.Popen([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"],
                          pass_fds=[listener.fileno()], stdout=subprocess.PIPE)
worker.stdout.readline()
print(listener.getsockname()[1], worker.pid, flush=True)
sys.stdin.read()
worker.kill()
"""


@pytest.fixture
def supervisor() -> Iterator[tuple[str, set[int]]]:
    """A process that listens, and a worker that inherited its socket."""
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port, worker = process.stdout.readline().split()
        yield f"http://127.0.0.1:{port}", {process.pid, int(worker)}
        process.stdin.close()


class SteppingClock:
    """Every look at it is one second later."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def test_the_supervisor_and_its_workers_are_found(supervisor: tuple[str, set[int]]) -> None:
    url, pids = supervisor

    watch = watch_server(url)

    assert watch is not None
    sample = watch.sample()
    assert sample is not None
    assert sample.processes == len(pids) == 2
    assert sample.threads == sum(psutil.Process(pid).num_threads() for pid in pids)
    truth = sum(psutil.Process(pid).memory_info().rss for pid in pids)
    assert sample.rss_bytes == pytest.approx(truth, rel=0.02)


def test_nobody_on_a_port_is_nobody() -> None:
    # Held, so that nobody else gets the port, but not listened on.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))

        assert watch_server(f"http://127.0.0.1:{held.getsockname()[1]}") is None


def test_processor_time_is_what_the_kernel_counted_over_the_time_that_passed() -> None:
    own = psutil.Process(os.getpid())

    def used_s() -> float:
        times = own.cpu_times()
        return times.user + times.system

    # Looked at before and after the watch looks, however long that takes.
    before_s = [used_s()]
    watch = ServerWatch([own], clock=SteppingClock())
    before_s.append(used_s())
    while used_s() < before_s[1] + 0.2:
        pass
    after_s = [used_s()]

    sample = watch.sample()

    after_s.append(used_s())
    assert sample is not None
    assert after_s[0] - before_s[1] - 1e-6 <= sample.cpu_ratio <= after_s[1] - before_s[0] + 1e-6
    assert sample.busiest_cpu_ratio == sample.cpu_ratio
    assert sample.elapsed_s == 1.0


def test_a_server_that_is_gone_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch = Watch(ServerWatch([psutil.Process(process.pid)]))

    assert watch.sample().server is None


def test_the_machine_is_watched_even_without_a_server() -> None:
    watch = Watch(None)
    # The kernel counts in ticks of ten milliseconds, and a virtual machine that stands still may miss some.
    for _ in range(100):
        sum(number * number for number in range(1_000_000))
        sample = watch.sample()
        if sample.machine_cpu_ratio:
            break

    assert sample.server is None
    assert sample.machine_cpu_ratio is not None
    assert 0 < sample.machine_cpu_ratio <= 1


@pytest.mark.parametrize(
    ("program", "command", "ours"),
    [("perfcli", "serve", True), ("perfcli", "load", False), ("other", "serve", False), ("myperfcli", "serve", False)],
)
def test_our_own_api_is_told_from_a_stranger_by_its_command_line(
    tmp_path: Path, program: str, command: str, ours: bool
) -> None:
    script = tmp_path / program
    script.write_text(LISTENER)
    with subprocess.Popen(
        [sys.executable, str(script), command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port = process.stdout.readline().split()[0]
        assert is_served_by_perfcli(f"http://127.0.0.1:{port}") is ours
        process.stdin.close()
