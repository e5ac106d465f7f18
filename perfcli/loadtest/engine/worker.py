"""A worker: connects to a Locust master, gets the plan from it, runs its share and reports every second."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gevent
from gevent.event import AsyncResult
from locust import argument_parser
from locust.env import Environment
from locust.runners import WorkerRunner

from perfcli.errors import MeasurementError, PerfcliError
from perfcli.loadtest.engine.scenario import make_environment
from perfcli.loadtest.engine.session import Session
from perfcli.loadtest.messages import Crash
from perfcli.loadtest.plan import Plan, plan_from_json, plan_to_json
from perfcli.loadtest.wire import to_line

HELLO, PLAN, READY, CLOCK, BEGIN, STOP, SECOND, ENDED, CRASHED = (
    f"perfcli_{name}" for name in ("hello", "plan", "ready", "clock", "begin", "stop", "second", "ended", "crashed")
)
"""Our messages on Locust's own connection. The worker asks for the plan, so that none is sent before it listens."""


def serve(plan: Plan) -> None:
    """Serve one run of the master that the plan names.

    Raises:
        MeasurementError: There is no master.
    """
    # Ctrl-C goes to every process of the terminal; when to stop is the master's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    gevent.spawn(_die_with_parent, os.getppid())
    environment = make_environment(plan)
    try:
        with gevent.Timeout(plan.connect_s):
            runner = environment.create_worker_runner(plan.master_host, plan.master_port)
    except (gevent.Timeout, ConnectionError) as error:
        raise MeasurementError(
            f"No master answers at {plan.master_host}:{plan.master_port}.",
            f"Start it with `perfcli load --master --expect-workers N --master-bind {plan.master_host}:"
            f"{plan.master_port}`: without an address of its own it listens to its own machine only.",
        ) from error
    try:
        _serve(environment, runner)
    except PerfcliError as error:
        crash = Crash(error.message, error.hint, int(error.exit_code))
        runner.send_message(CRASHED, {"pid": os.getpid(), "line": to_line(crash)})
        raise


def _serve(environment: Environment, runner: WorkerRunner) -> None:
    plan_arrived: AsyncResult[dict[str, object]] = AsyncResult()
    begun: AsyncResult[dict[str, int]] = AsyncResult()
    runner.register_message(PLAN, lambda msg, **_: plan_arrived.set(msg.data))
    runner.register_message(BEGIN, lambda msg, **_: begun.set(msg.data))
    runner.send_message(HELLO, {"pid": os.getpid()})
    with tempfile.TemporaryDirectory(prefix="perfcli-worker-") as folder:
        data = plan_arrived.get()
        plan = unpack(data, Path(folder))
        session = Session(environment, runner, plan, index=int(data["index"]), processes=int(data["processes"]))
        runner.register_message(STOP, lambda msg, **_: session.ask_to_stop(msg.data["reason"]), concurrent=True)
        runner.register_message(CLOCK, lambda msg, **_: runner.send_message(CLOCK, _time_told(msg.data["asked_ns"])))
        session.tidy()
        _know_options()
        runner.send_message(READY, {"pid": os.getpid()})
        session.start(begun.get()["start_ns"])
        reporting = gevent.spawn(_report, session, runner)
        end = session.finish(session.wait())
        reporting.kill()
        runner.send_message(SECOND, {"line": to_line(session.second())})
        runner.send_message(ENDED, {"line": to_line(end)})
        # The master says `quit` when it has everything; the connection must live until then.
        runner.greenlet.join()


_FILES = {"scenario", "payload_file"}
"""What of a plan names a file."""


def pack(plan: Plan, index: int, processes: int) -> dict[str, object]:
    """Put a plan and the files it names into a message: the worker may be on another machine."""
    files = {field: (Path(path).name, Path(path).read_bytes()) for field, path in _files(plan).items()}
    return {"plan": plan_to_json(plan), "files": files, "index": index, "processes": processes}


def unpack(message: Mapping[str, Any], folder: Path) -> Plan:
    """Undo `pack`; the files are written into the folder."""
    plan = plan_from_json(message["plan"])
    paths: dict[str, Any] = {}
    # Two files of the same name may come, and no name from the network must leave the folder.
    for field in _FILES & message["files"].keys():
        name, content = message["files"][field]
        path = folder / field / Path(name).name
        path.parent.mkdir()
        path.write_bytes(content)
        paths[field] = str(path)
    return replace(plan, **paths)


def _files(plan: Plan) -> dict[str, str]:
    return {field: path for field in _FILES if (path := getattr(plan, field)) is not None}


def _know_options() -> None:
    """Let Locust find out once what options it has.

    It makes its whole parser anew for every option in every message that starts users: a third of a second in which
    no request is sent and no answer read.
    """
    argument_parser.default_args_dict = cache(argument_parser.default_args_dict)
    argument_parser.default_args_dict()


def _time_told(asked_ns: int) -> dict[str, int]:
    return {"asked_ns": asked_ns, "told_ns": time.perf_counter_ns()}


def _report(session: Session, runner: WorkerRunner) -> None:
    while True:
        session.sleep_to_next_second()
        runner.send_message(SECOND, {"line": to_line(session.second())})


def _die_with_parent(parent: int) -> None:
    """A worker whose engine was killed must not go on making load."""
    while os.getppid() == parent:
        gevent.sleep(1.0)
    os._exit(1)
