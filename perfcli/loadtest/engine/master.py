"""The master: starts workers on this machine or waits for others, and makes one run of what they report."""

# Locust is typed in parts.
# mypy: disallow-untyped-calls=False
from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import STATE_MISSING, MasterRunner
from zmq.error import ZMQError

from perfcli.errors import ExitCode, MeasurementError, PerfcliError, UsageError
from perfcli.loadtest.engine.channel import Channel
from perfcli.loadtest.engine.clocks import Reading, offset_ns
from perfcli.loadtest.engine.forks import Forks
from perfcli.loadtest.engine.merge import Merger, merge_ends
from perfcli.loadtest.engine.scenario import load, make_environment
from perfcli.loadtest.engine.worker import (
    BEGIN,
    CLOCK,
    CRASHED,
    ENDED,
    HELLO,
    PLAN,
    READY,
    SECOND,
    STOP,
    pack,
    serve,
)
from perfcli.loadtest.messages import Crash, End, Hello, Second, WorkerLost
from perfcli.loadtest.plan import Plan
from perfcli.loadtest.wire import from_line

_POLL_S = 0.05
_GRACE_S = 1.0
_CLOCK_READINGS = 10
_LEAD_NS = 100_000_000
"""Every worker must know of the start before it comes."""
_SILENT_S = 4.0
"""Locust gives a worker up after three seconds; one that reports again may still be given up there."""


class Master:
    """One run over several processes.

    The users of the closed loop are spread by Locust's own dispatcher. What Locust has no word for (the plan, a second
    of counts, the end) goes as messages of ours over its connections.
    """

    def __init__(self, plan: Plan, channel: Channel, forks: Forks) -> None:
        self._plan, self._channel = plan, channel
        self._forks = forks.workers
        self._expected = plan.expect_workers + len(forks.workers)
        self._environment = make_environment(plan)
        self._runner = _listen(self._environment, plan)
        load(self._environment, plan)
        self._pids: dict[str, int] = {}
        self._readings: defaultdict[str, list[Reading]] = defaultdict(list)
        self._ready: set[str] = set()
        self._ended: dict[str, End] = {}
        self._lost: dict[str, WorkerLost] = {}
        self._returned: list[WorkerLost] = []
        self._heard_ns: dict[str, int] = {}
        self._crash: Crash | None = None
        self._merger = Merger(())
        self._changed = Event()
        self._stops = 0
        self._start_ns = 0
        for name, listener in (
            (HELLO, self._on_hello),
            (READY, self._on_ready),
            (CLOCK, self._on_clock),
            (SECOND, self._on_second),
            (ENDED, self._on_ended),
            (CRASHED, self._on_crashed),
        ):
            self._runner.register_message(name, listener)
        forks.connect_to(self._runner.server.port)

    def run(self) -> None:
        """Run to the end.

        Raises:
            MeasurementError: The workers do not come, or all of them are lost.
            PerfcliError: A worker cannot do the plan.
        """
        try:
            self._gather()
            self._begin()
            self._wait()
            for lost in (*self._returned, *self._lost.values()):
                self._channel.send(lost)
            if not self._ended:
                raise MeasurementError("All workers were lost.", "What they measured until then is kept.")
            self._channel.send(merge_ends(list(self._ended.values())))
        finally:
            self._dismiss()

    def ask_to_stop(self, reason: str) -> None:
        """End early; asked a second time, do not wait for answers."""
        self._stops += 1
        for client in self._runner.clients:
            self._runner.send_message(STOP, {"reason": reason}, client)

    def _gather(self) -> None:
        deadline = time.monotonic() + self._plan.connect_s
        while len(self._ready) < self._expected:
            self._fail_if_crashed()
            if self._stops:
                raise MeasurementError("Stopped before all workers had come.")
            if time.monotonic() > deadline or any(fork.is_dead() for fork in self._forks):
                raise MeasurementError(
                    f"Only {len(self._ready)} of {self._expected} workers came within {self._plan.connect_s:g} s.",
                    f"Start them with `perfcli worker --master-host HOST --master-port {self._runner.server.port}`; "
                    "other machines reach the address that --master-bind names.",
                )
            self._changed.wait(_POLL_S)
            self._changed.clear()

    def _begin(self) -> None:
        self._merger = Merger(self._ready)
        longest_ns = max(reading.round_trip_ns for readings in self._readings.values() for reading in readings)
        lead_ns = _LEAD_NS + 2 * longest_ns
        self._start_ns = time.perf_counter_ns() + lead_ns
        self._heard_ns = dict.fromkeys(self._ready, self._start_ns)
        started_at_s = time.time() + lead_ns / 1e9
        self._channel.send(Hello(self._expected, started_at_s))
        for client in self._ready:
            self._runner.send_message(BEGIN, {"start_ns": self._start_ns + offset_ns(self._readings[client])}, client)
        if not self._plan.open_loop:
            gevent.sleep(lead_ns / 1e9)
            self._start_users()

    def _start_users(self) -> None:
        if self._stops:
            return
        if self._environment.shape_class is not None:
            self._runner.start_shape()
        else:
            rate = self._plan.spawn_rate or self._plan.users
            self._runner.greenlet.spawn(self._runner.start, self._plan.users, rate)

    def _wait(self) -> None:
        while self._ready - self._ended.keys() - self._lost.keys():
            self._changed.wait(_POLL_S)
            self._changed.clear()
            self._fail_if_crashed()
            self._look_for_lost()

    def _look_for_lost(self) -> None:
        dead = {fork.pid for fork in self._forks if fork.is_dead()}
        for client in self._ready - self._ended.keys() - self._lost.keys():
            node = self._runner.clients.get(client)
            given_up = node is None or node.state == STATE_MISSING
            silent_s = (time.perf_counter_ns() - self._heard_ns[client]) / 1e9
            if self._pids[client] in dead or (given_up and silent_s > _SILENT_S):
                name = f"{client} (pid {self._pids[client]})"
                self._lost[client] = WorkerLost(name, self._merger.reported_s(client))
                self._send(self._merger.leave(client))

    def _dismiss(self) -> None:
        for client in self._ready:
            self._runner.server.send_to_client(Message("quit", None, client))
        # They have told everything. One that Locust's own `stop` has reached sleeps for the whole drain after it.
        with gevent.Timeout(_GRACE_S, False):
            while not all(fork.is_dead() for fork in self._forks):
                gevent.sleep(_POLL_S)
        for fork in self._forks:
            if not fork.is_dead():
                os.kill(fork.pid, signal.SIGKILL)

    def _fail_if_crashed(self) -> None:
        if self._crash is not None:
            error = PerfcliError(self._crash.message, self._crash.hint)
            error.exit_code = ExitCode(self._crash.exit_code)
            raise error

    def _send(self, seconds: list[Second]) -> None:
        for second in seconds:
            self._channel.send(second)

    def _on_hello(self, msg: Message, **_: object) -> None:
        client = msg.node_id
        self._pids[client] = msg.data["pid"]
        index = len(self._pids) - 1
        if index < self._expected:
            plan = replace(self._plan, worker=False)
            self._runner.send_message(PLAN, pack(plan, index, self._expected), client)

    def _on_ready(self, msg: Message, **_: object) -> None:
        self._ask_for_time(msg.node_id)

    def _on_clock(self, msg: Message, **_: object) -> None:
        client = msg.node_id
        self._readings[client].append(Reading(msg.data["asked_ns"], msg.data["told_ns"], time.perf_counter_ns()))
        if len(self._readings[client]) < _CLOCK_READINGS:
            self._ask_for_time(client)
            return
        self._ready.add(client)
        self._changed.set()

    def _ask_for_time(self, client: str) -> None:
        self._runner.send_message(CLOCK, {"asked_ns": time.perf_counter_ns()}, client)

    def _on_second(self, msg: Message, **_: object) -> None:
        second = from_line(msg.data["line"])
        assert isinstance(second, Second)
        self._heard_ns[msg.node_id] = time.perf_counter_ns()
        lost = self._lost.pop(msg.node_id, None)
        if lost is not None:
            back_s = (self._heard_ns[msg.node_id] - self._start_ns) / 1e9
            self._returned.append(replace(lost, back_s=back_s))
        self._send(self._merger.add(msg.node_id, second))

    def _on_ended(self, msg: Message, **_: object) -> None:
        end = from_line(msg.data["line"])
        assert isinstance(end, End)
        self._ended[msg.node_id] = end
        self._send(self._merger.leave(msg.node_id))
        self._changed.set()

    def _on_crashed(self, msg: Message, **_: object) -> None:
        crash = from_line(msg.data["line"])
        assert isinstance(crash, Crash)
        self._crash = crash
        self._changed.set()


def _listen(environment: Environment, plan: Plan) -> MasterRunner:
    try:
        return environment.create_master_runner(plan.master_host, plan.master_port)
    except (SystemExit, RPCError, ZMQError) as error:
        # Locust takes a busy port for a reason to end the process.
        raise UsageError(
            f"The master cannot listen at {plan.master_host}:{plan.master_port}.",
            "Choose another address or port with --master-bind.",
        ) from error


def direct(plan: Plan, channel: Channel, on_signals: Callable[[Callable[[str], None]], None]) -> None:
    """Direct one run over several processes."""
    number = plan.processes if plan.processes > 1 else 0
    forks = Forks(number, lambda port: serve(replace(plan, master_port=port)), (channel.fd,))
    master = Master(plan, channel, forks)
    on_signals(master.ask_to_stop)
    master.run()
