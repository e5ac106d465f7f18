"""The child process: read the plan, run it, tell the parent, and have the last words when it fails."""

# Locust is typed in parts.
# mypy: disallow-untyped-calls=False
from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable

import gevent

from perfcli.errors import ExitCode, PerfcliError
from perfcli.loadtest.engine.channel import Channel
from perfcli.loadtest.engine.master import direct
from perfcli.loadtest.engine.scenario import examine, make_environment
from perfcli.loadtest.engine.session import Session
from perfcli.loadtest.engine.worker import serve
from perfcli.loadtest.messages import Crash, Hello
from perfcli.loadtest.plan import Plan, plan_from_json


def main(arguments: list[str]) -> int:
    """Run the plan on stdin and write messages to the file descriptor given; return the exit code."""
    channel = Channel(int(arguments[0]))
    # What a scenario raises is counted and reported; a traceback for each request would only fill the parent's pipe.
    logging.getLogger("locust").setLevel(logging.CRITICAL)
    logging.getLogger().setLevel(logging.ERROR)
    try:
        _run(plan_from_json(sys.stdin.read()), channel)
    except BrokenPipeError:
        return int(ExitCode.UNMEASURABLE)  # The parent is gone: nobody wants to know more.
    except PerfcliError as error:
        return _crash(channel, Crash(error.message, error.hint, int(error.exit_code)))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the last words of the process
        text = f"The load engine failed: {type(error).__name__}: {error}."
        return _crash(channel, Crash(text, "", int(ExitCode.UNMEASURABLE)))
    return 0


def on_signals(ask_to_stop: Callable[[str], None]) -> None:
    """Take Ctrl-C and SIGTERM as a request to stop."""
    gevent.signal_handler(signal.SIGINT, ask_to_stop, "interrupted")
    gevent.signal_handler(signal.SIGTERM, ask_to_stop, "terminated")
    # The parent started this process with both held back.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


def _run(plan: Plan, channel: Channel) -> None:
    if plan.examines:
        # It has nothing to lose: whoever does not want to wait may end it at once.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
        channel.send(examine(plan))
    elif plan.worker:
        serve(plan)
    elif plan.processes > 1 or plan.expect_workers:
        direct(plan, channel, on_signals)
    else:
        _run_alone(plan, channel)


def _run_alone(plan: Plan, channel: Channel) -> None:
    environment = make_environment(plan)
    session = Session(environment, environment.create_local_runner(), plan)
    on_signals(session.ask_to_stop)
    session.tidy()
    channel.send(Hello(1, time.time()))
    session.start()
    reporting = gevent.spawn(_report, session, channel)
    end = session.finish(session.wait())
    reporting.kill()
    channel.send(session.second())
    channel.send(end)
    environment.events.quitting.fire(environment=environment, reverse=True)


def _report(session: Session, channel: Channel) -> None:
    while True:
        session.sleep_to_next_second()
        channel.send(session.second())


def _crash(channel: Channel, crash: Crash) -> int:
    channel.send(crash)
    return crash.exit_code
