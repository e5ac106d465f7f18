"""Watch this machine and the processes behind one of its ports while they are under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from perfcli.loadtest.urls import address_of


@dataclass(frozen=True, slots=True)
class ServerSample:
    """What the server's processes did since the sample before.

    Attributes:
        elapsed_s: Time since then.
        processes: How many there are.
        cpu_ratio: CPU time of all of them over elapsed time; 2 is two whole cores.
        busiest_cpu_ratio: The same of the busiest of them.
        rss_bytes: Resident memory of all of them; pages they share count in each.
        threads: Of all of them.
    """

    elapsed_s: float
    processes: int
    cpu_ratio: float
    busiest_cpu_ratio: float
    rss_bytes: int
    threads: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What happened since the sample before.

    Attributes:
        machine_cpu_ratio: Busy share of all processors; None when no time has passed.
        server: What the server did; None when it cannot be seen.
    """

    machine_cpu_ratio: float | None
    server: ServerSample | None


class Watch:
    """This machine, and the server on it if there is one."""

    def __init__(self, server: ServerWatch | None) -> None:
        self._server = server
        self._busy_s, self._all_s = _processor_time()

    def sample(self) -> Sample:
        """Return what happened since the last sample."""
        busy_before_s, all_before_s = self._busy_s, self._all_s
        self._busy_s, self._all_s = _processor_time()
        all_s = self._all_s - all_before_s
        # Sums of floating point: a machine that is all busy would be a hair above.
        ratio = min(1.0, (self._busy_s - busy_before_s) / all_s) if all_s > 0 else None
        return Sample(ratio, self._server.sample() if self._server is not None else None)


class ServerWatch:
    """The process tree of a server, sampled whenever it is asked for."""

    def __init__(self, roots: list[psutil.Process], clock: Callable[[], float] = time.monotonic) -> None:
        self._roots = roots
        self._clock = clock
        self._sampled_at_s = clock()
        self._cpu_s = self._read_cpu()

    def sample(self) -> ServerSample | None:
        """Return what happened since the last sample; None when no process is left or no time has passed."""
        before, before_s = self._cpu_s, self._sampled_at_s
        self._sampled_at_s = self._clock()
        self._cpu_s = self._read_cpu()
        elapsed_s = self._sampled_at_s - before_s
        if not self._cpu_s or elapsed_s <= 0:
            return None
        # A process born in between has used all of its CPU time since then.
        shares = [(cpu_s - before.get(process, 0.0)) / elapsed_s for process, cpu_s in self._cpu_s.items()]
        rss_bytes = threads = 0
        for process in self._cpu_s:
            try:
                with process.oneshot():
                    rss_bytes += process.memory_info().rss
                    threads += process.num_threads()
            except psutil.Error:
                continue
        return ServerSample(elapsed_s, len(self._cpu_s), sum(shares), max(shares), rss_bytes, threads)

    def _read_cpu(self) -> dict[psutil.Process, float]:
        cpu_s: dict[psutil.Process, float] = {}
        for process in _tree(self._roots):
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            cpu_s[process] = times.user + times.system
        return cpu_s


def watch_server(url: str) -> ServerWatch | None:
    """Find the processes that listen on the port of a loopback URL; None when they cannot be seen."""
    _, port = address_of(url)
    roots = [_topmost_listener(process, port) for process in _listeners(port)]
    return ServerWatch(list(dict.fromkeys(roots))) if roots else None


def is_served_by_perfcli(url: str) -> bool:
    """Tell by the command line, without sending it anything, whether `perfcli serve` listens at a loopback URL."""
    _, port = address_of(url)
    return any(_is_perfcli_serve(_topmost_listener(process, port)) for process in _listeners(port))


def _is_perfcli_serve(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return any(Path(program).stem == "perfcli" and command == "serve" for program, command in pairwise(words))


def _processor_time() -> tuple[float, float]:
    times = psutil.cpu_times()
    # Guest time is part of user time already.
    all_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return all_s - times.idle - getattr(times, "iowait", 0.0), all_s


def _listeners(port: int) -> list[psutil.Process]:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        # macOS shows the sockets of other users to root alone; whose they are cannot be told apart from here.
        return _own_listeners(port)
    pids = {each.pid for each in connections if each.pid is not None and _is_listener(each.status, each.laddr, port)}
    return [process for pid in sorted(pids) if (process := _process(pid)) is not None]


def _own_listeners(port: int) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _listens(process, port)]


def _topmost_listener(process: psutil.Process, port: int) -> psutil.Process:
    """Climb to the supervisor that opened the socket and handed it to its workers."""
    parent = process.parent()
    while parent is not None and _listens(parent, port):
        process, parent = parent, parent.parent()
    return process


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return False
    return any(_is_listener(each.status, each.laddr, port) for each in connections)


def _is_listener(status: str, address: Sequence[str | int], port: int) -> bool:
    return status == psutil.CONN_LISTEN and tuple(address[1:2]) == (port,)


def _tree(roots: list[psutil.Process]) -> list[psutil.Process]:
    tree: dict[psutil.Process, None] = {}
    for root in roots:
        try:
            tree.update(dict.fromkeys([root, *root.children(recursive=True)]))
        except psutil.Error:
            continue
    return list(tree)


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None
