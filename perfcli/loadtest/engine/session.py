"""One process's part of a run: start, a report every second, the end at which nothing is lost."""

# Locust is typed in parts.
# mypy: disallow-untyped-calls=False
from __future__ import annotations

import gc
import random
import time
import traceback
from pathlib import Path
from types import TracebackType

import gevent
import psutil
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_CLEANUP, STATE_STOPPED, STATE_STOPPING, Runner

from perfcli.loadtest.engine.arrivals import budget_s, length_s, schedule
from perfcli.loadtest.engine.faults import Kind
from perfcli.loadtest.engine.pool import Pool
from perfcli.loadtest.engine.scenario import RequestEvents, load
from perfcli.loadtest.engine.workload import Workload, attach, bundled_payloads, read_lines, share
from perfcli.loadtest.messages import End, ScenarioError, Second
from perfcli.loadtest.plan import Plan

_POLL_S = 0.02
_MAX_ERRORS = 100
_PASSES_TO_SEND = 5


class Session:
    """What one process does of the plan.

    Attributes:
        environment: Locust's.
        start_ns: Start of the run on the clock of `perf_counter_ns`.
    """

    def __init__(
        self, environment: Environment, runner: Runner, plan: Plan, *, index: int = 0, processes: int = 1
    ) -> None:
        self.environment = environment
        self._runner = runner
        self._plan, self._index, self._processes = plan, index, processes
        payloads = read_lines(Path(plan.payload_file)) if plan.payload_file else bundled_payloads()
        self._workload = Workload(plan, payloads, index=index, processes=processes)
        attach(environment, self._workload)
        assert isinstance(environment.events.request, RequestEvents)
        environment.events.request.record(self._workload)
        self._recorder = self._workload.recorder
        # Workers are forked: without a seed of its own each would make the same choices as the others.
        random.seed(plan.seed + index)
        if plan.open_loop:
            users = max(1, share(plan.max_in_flight, index, processes))
            self._workload.pool = Pool(environment, self._recorder, users, plan.seed + index)
        load(environment, plan)
        self._errors: dict[str, tuple[int, str]] = {}
        environment.events.user_error.add_listener(self._user_error)
        self._process = psutil.Process()
        # Found out here, because it takes long for a budget of millions.
        self._budget_s = budget_s(plan)
        self._stop_reason = ""
        self._stop_asked = Event()
        self._had_users = False
        self.start_ns = 0
        self._second_index = 0
        self._second_ns = 0
        self._over_ns: int | None = None
        self._cpu_ns = 0

    def tidy(self) -> None:
        """Do what would hold the load up; it takes a moment, so call it before the start is set."""
        # Locust and what it imports are a hundred thousand objects; a full collection that visits them all would hold
        # every arrival up for milliseconds.
        gc.collect()
        gc.freeze()

    def start(self, start_ns: int | None = None) -> None:
        """Begin.

        Args:
            start_ns: The moment that all workers of the run begin at, on the clock of `perf_counter_ns`; their users in
                the closed loop are started by the master. None for a run of one process, which begins now.
        """
        self.start_ns = self._second_ns = time.perf_counter_ns() if start_ns is None else start_ns
        self._cpu_ns = time.process_time_ns()
        plan, runner = self._plan, self._runner
        if self._workload.pool is not None:
            self.environment.events.test_start.fire(environment=self.environment)
            self._workload.pool.start(schedule(plan, self._index, self._processes), self.start_ns)
        elif start_ns is None and self.environment.shape_class is not None:
            runner.start_shape()
        elif start_ns is None:
            runner.start(plan.users, plan.spawn_rate or plan.users)

    def ask_to_stop(self, reason: str) -> None:
        """End early; asked a second time, do not wait for answers."""
        if self._stop_asked.is_set():
            self._stop_reason = "aborted"
            self._runner.user_greenlets.kill(block=False)
        else:
            self._stop_reason = reason
            self._stop_asked.set()

    def wait(self) -> str:
        """Wait for the end of the run and return its reason, one of those of `End`."""
        length, pool, budget = length_s(self._plan), self._workload.pool, self._budget_s
        reason_at_length = "duration" if budget is None else "requests"
        length = length if budget is None else budget
        while not self._stop_asked.is_set():
            elapsed_s = (time.perf_counter_ns() - self.start_ns) / 1e9
            if length is not None and elapsed_s >= length and (pool is None or pool.exhausted):
                return reason_at_length
            reason = self._own_end()
            if reason is not None:
                return reason
            self._stop_asked.wait(_POLL_S if length is None else min(_POLL_S, max(0.0, length - elapsed_s)))
        return self._stop_reason

    def finish(self, reason: str) -> End:
        """Let no request start, wait for the answers still due, and sum up."""
        ended_ns = time.perf_counter_ns()
        pool = self._workload.pool
        if pool is not None:
            pool.stop()
            # Who was just given an arrival still has to wake up and send; a user waiting when Locust stops is killed.
            for _ in range(_PASSES_TO_SEND):
                gevent.sleep(0)
        self._workload.stop()
        self._drain()
        self._runner.stop()
        now_ns = time.perf_counter_ns()
        for due_ns in () if pool is None else pool.unclaimed():
            # A client other than ours was cut off; it does not say when it sent.
            self._recorder.sent(due_ns, due_ns)
            self._recorder.depart(due_ns)
            self._recorder.failed(("", "(unknown)"), due_ns, due_ns, now_ns, Kind.INCOMPLETE, "no answer at the end")
        # Stopping takes Locust a tenth of a second, in which nobody asks for anything any more.
        self._over_ns = max(ended_ns, self._recorder.ended_ns)
        return self._end(self._stop_reason or reason, ended_ns, self._over_ns)

    def second(self) -> Second:
        """Return what happened since the last call; the last second ends when the run does."""
        now_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        until_ns = now_ns if self._over_ns is None else self._over_ns
        elapsed_ns = max(1, until_ns - self._second_ns)
        totals, lag, endpoints = self._recorder.take()
        second = Second(
            index=self._second_index,
            elapsed_s=elapsed_ns / 1e9,
            users=self._runner.user_count,
            in_flight=self._recorder.in_flight,
            in_flight_ns=self._recorder.take_in_flight_ns(until_ns),
            scheduled=totals.scheduled,
            sent=totals.sent,
            late=totals.late,
            dropped=totals.dropped,
            resent=totals.resent,
            further=totals.further,
            silent=totals.silent,
            lag=lag,
            cpu_ratio=(cpu_ns - self._cpu_ns) / max(1, now_ns - self._second_ns),
            rss_bytes=self._process.memory_info().rss,
            endpoints=endpoints,
            server_timing=self._recorder.take_server_timing(),
        )
        self._second_index += 1
        self._second_ns, self._cpu_ns = now_ns, cpu_ns
        return second

    def sleep_to_next_second(self) -> None:
        """Sleep until the current second of the run is over."""
        due_ns = self.start_ns + (self._second_index + 1) * 1_000_000_000
        gevent.sleep(max(0.0, (due_ns - time.perf_counter_ns()) / 1e9))

    def _drain(self) -> None:
        """Wait for the answers to requests in flight.

        Locust waits too, but first looks through its own source for a tenth of a second, in which no answer is read:
        the last ones of every run would seem to be so late.
        """
        until_s = time.perf_counter() + self._plan.drain_s
        left_s = self._plan.drain_s
        while self._recorder.in_flight > 0 and left_s > 0:
            gevent.sleep(min(_POLL_S, left_s))
            left_s = until_s - time.perf_counter()
        # Requests of other clients are not known to be in flight.
        self.environment.stop_timeout = max(0.0, left_s)

    def _own_end(self) -> str | None:
        runner, pool = self._runner, self._workload.pool
        if runner.state in (STATE_CLEANUP, STATE_STOPPING, STATE_STOPPED):
            return "scenario"
        if pool is not None:
            return None
        if self._workload.spent.is_set():
            return "requests"
        self._had_users = self._had_users or runner.user_count > 0
        if self._had_users and runner.user_count == 0 and self.environment.shape_class is None:
            return "scenario"
        return None

    def _end(self, reason: str, ended_ns: int, drained_ns: int) -> End:
        totals = self._recorder.sum()
        return End(
            reason=reason,
            elapsed_s=max(0, ended_ns - self.start_ns) / 1e9,
            drained_s=(drained_ns - ended_ns) / 1e9,
            scheduled=totals.scheduled,
            sent=totals.sent,
            late=totals.late,
            dropped=totals.dropped,
            incomplete=totals.incomplete,
            further=totals.further,
            silent=totals.silent,
            paths=self._recorder.paths,
            scenario_errors=tuple(
                ScenarioError(message, count, first) for message, (count, first) in self._errors.items()
            ),
        )

    def _user_error(self, exception: Exception, tb: TracebackType | None, **_: object) -> None:
        message = f"{type(exception).__name__}: {exception}"
        if message not in self._errors and len(self._errors) >= _MAX_ERRORS:
            message = "(other)"
        count, first = self._errors.get(message, (0, ""))
        self._errors[message] = (count + 1, first or "".join(traceback.format_tb(tb)))
