"""A locustfile becomes a Locust environment that nothing but the plan has an influence on."""

# Locust is typed in parts.
# mypy: disallow-untyped-calls=False
from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import locust
from locust import User
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments
from locust.env import Environment
from locust.event import EventHook
from locust.shape import LoadTestShape
from locust.util.load_locustfile import load_locustfile

from perfcli.bundled import bundled_path
from perfcli.errors import UsageError
from perfcli.loadtest.engine.arrivals import users_at
from perfcli.loadtest.engine.faults import Kind, classify
from perfcli.loadtest.engine.workload import Workload
from perfcli.loadtest.messages import ScenarioFacts
from perfcli.loadtest.plan import Plan, Segment

_ALL_AT_ONCE = 1e6


class RequestEvents(EventHook):
    """Locust's `request` event, by which clients other than ours are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self._workload: Workload | None = None
        self._observed = False

    def record(self, workload: Workload) -> None:
        """Record from now on what foreign clients fire."""
        self._workload = workload
        workload.observed = self._observed

    def add_listener(self, handler: object) -> object:
        """Add a listener; our own client fires the event only if somebody besides Locust's own statistics listens."""
        if getattr(handler, "__module__", "") != "locust.runners":
            self._observed = True
            if self._workload is not None:
                self._workload.observed = True
        return super().add_listener(handler)

    def fire(self, *, reverse: bool = False, **event: object) -> None:
        """Tell the listeners, and record the request unless our own client already has."""
        if self._workload is not None and not event.pop("recorded", False):
            _record(self._workload, event)
        super().fire(reverse=reverse, **event)


class PlannedShape(LoadTestShape):
    """The shape of the plan, for Locust."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        super().__init__()
        self._segments = segments

    def tick(self) -> tuple[int, float]:
        """Return users and spawn rate; the end of the shape is the end of the run, which is not decided here.

        Locust asks once a second; the answer is for the middle of that second.
        """
        return users_at(self._segments, self.get_run_time() + 0.5), _ALL_AT_ONCE


def make_environment(plan: Plan) -> Environment:
    """Make an environment without users; options of Locust stand at their defaults, whatever files of the user say."""
    locust.events.request = RequestEvents()
    parser = get_empty_argument_parser(add_help=False, default_config_files=[])
    setup_parser_arguments(parser)
    return Environment(events=locust.events, stop_timeout=plan.drain_s, parsed_options=_options(parser))


def load(environment: Environment, plan: Plan) -> None:
    """Load the scenario of the plan into an environment that has its runner.

    Raises:
        UsageError: The file is missing, raises, or holds no users.
    """
    environment.user_classes, shapes = _read(plan)
    # Where it is set, Locust gives it to all users.
    environment.host = None if plan.keeps_hosts else plan.base_url
    environment.stop_timeout = plan.drain_s
    for user_class in environment.user_classes:
        user_class.host = (plan.keeps_hosts and user_class.host) or plan.base_url
    environment.shape_class = _shape(plan, shapes)
    if environment.shape_class is not None:
        environment.shape_class.runner = environment.runner
    environment.events.init.fire(environment=environment, runner=environment.runner, web_ui=None)


def examine(plan: Plan) -> ScenarioFacts:
    """Tell what the scenario of the plan brings by itself.

    Raises:
        UsageError: The file is missing, raises, or holds no users.
    """
    user_classes, shapes = _read(plan)
    hosts = dict.fromkeys(user_class.host for user_class in user_classes if user_class.host)
    return ScenarioFacts(tuple(hosts), bool(shapes))


def _read(plan: Plan) -> tuple[list[type[User]], Sequence[LoadTestShape]]:
    """Return the classes of users that send requests, and the shapes."""
    path = Path(plan.scenario) if plan.scenario else bundled_path("loadtests/predict.py")
    if not path.is_file():
        raise UsageError(f"There is no scenario {path}.", "Name a locustfile with --scenario.")
    try:
        classes, shapes = load_locustfile(str(path.resolve()))
    except (Exception, SystemExit) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise UsageError(
            f"The scenario {path} cannot be loaded: {type(error).__name__}: {reason} ({_place(error, path)}).",
            "Correct it there.",
        ) from error
    # A fixed number of users has no share of arrivals.
    user_classes = [
        user_class
        for user_class in classes.values()
        if user_class.weight > 0 or (user_class.fixed_count > 0 and not plan.open_loop)
    ]
    if not user_classes:
        raise UsageError(
            f"The scenario {path} has no user class{' with a weight' if classes else ''}: nobody would send a request.",
            "Write a class with a @task that derives from InferenceUser, as loadtests/predict.py does.",
        )
    return user_classes, shapes


def _place(error: BaseException, path: Path) -> str:
    """Return file and line of what is wrong: in the scenario itself, unless it is in what the scenario imports."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or path}:{error.lineno or 1}"
    frames = traceback.extract_tb(error.__traceback__)
    in_scenario = [frame for frame in frames if frame.filename == str(path.resolve())]
    where = (in_scenario or frames)[-1]
    return f"{where.filename}:{where.lineno}"


def _shape(plan: Plan, shapes: Sequence[LoadTestShape]) -> LoadTestShape | None:
    if plan.open_loop:
        return None
    if plan.shape:
        return PlannedShape(plan.shape)
    return shapes[0] if shapes else None


def _options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    options, _ = parser.parse_known_args([])
    return options


def _record(workload: Workload, event: dict[str, object]) -> None:
    """Record a request from what its client says after the fact."""
    workload.may_start()
    ended_ns = time.perf_counter_ns()
    response_time = event["response_time"]
    sent_ns = (
        ended_ns - max(0, round(float(response_time) * 1e6)) if isinstance(response_time, (int, float)) else ended_ns
    )
    due_ns = None if workload.pool is None else workload.pool.claim()
    recorder = workload.recorder
    recorder.sent(due_ns, sent_ns)
    recorder.depart(sent_ns)
    key = (str(event["request_type"]), str(event["name"]))
    path = urlsplit(str(event.get("url") or "")).path
    if path and path != key[1]:
        recorder.named(path)
    intended_ns = sent_ns if due_ns is None else due_ns
    exception = event.get("exception")
    if isinstance(exception, BaseException):
        status = getattr(event.get("response"), "status_code", 0)
        fault = classify(exception)
        kind = {4: Kind.HTTP_4XX, 5: Kind.HTTP_5XX}.get(int(status or 0) // 100, fault.kind)
        recorder.failed(key, intended_ns, sent_ns, ended_ns, kind, str(exception))
    else:
        recorder.succeeded(key, intended_ns, sent_ns, ended_ns)
