"""Run a load plan: start the engine, listen to it, watch the server, and make the result, whatever happens."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import orjson

from perfcli.bundled import bundled_path
from perfcli.cache_folder import cache_folder
from perfcli.errors import ExitCode, MeasurementError, PerfcliError, TargetUnreachableError, UsageError
from perfcli.hosts import is_loopback
from perfcli.loadtest.advice import ENGINE_CRASHED, SCENARIO_ERROR
from perfcli.loadtest.calibration import Calibration, calibrate
from perfcli.loadtest.child import Engine, running_engine, stopped_by_signals
from perfcli.loadtest.messages import Crash, End, Hello, Message, ScenarioFacts, Second, WorkerLost
from perfcli.loadtest.plan import Plan
from perfcli.loadtest.planning import LoadPlan
from perfcli.loadtest.recording import CHECK_FAILED, UNREACHED, Recording
from perfcli.loadtest.server_metrics import MetricSample, MetricsRefusedError, account, read_metrics
from perfcli.loadtest.urls import address_of
from perfcli.loadtest.watch import Watch, watch_server
from perfcli.records.environment import Environment
from perfcli.records.load import ErrorCount, LoadResult, LoadSecond
from perfcli.records.profile import Advice
from perfcli.secrets import mask_url

CALIBRATION_SCENARIO = "loadtests/predict.py"

_CONNECT_S = 5.0


def run_load(
    plan: LoadPlan,
    environment: Environment,
    *,
    calibration: Calibration | None = None,
    recalibrate: Callable[[], Calibration | None] | None = None,
    on_second: Callable[[LoadSecond], None] | None = None,
    should_stop: Callable[[LoadResult], bool] | None = None,
) -> LoadResult:
    """Run a plan to its end, to the first signal, or until it is clear what was to be found out.

    Ctrl-C and SIGTERM end the run, not this function: the result then is partial. The same holds for an engine that
    dies; `ensure_measured` turns that into an error once the record is safe.

    Args:
        plan: What to do.
        environment: Of this machine, for the record.
        calibration: What the engine costs here.
        recalibrate: Measures that anew; called after the run when it refutes what was kept from an earlier one.
        on_second: Called with every second as it is recorded.
        should_stop: Asked once a second with the result so far; true ends the run.

    Raises:
        TargetUnreachableError: Nothing accepts connections at the URL.
        PerfcliError: The engine refused the plan or the scenario, before the first second.
    """
    if not plan.engine.expect_workers:
        check_reachable(plan.engine.base_url)
    watch = Watch(watch_server(plan.engine.base_url) if is_loopback(plan.engine.base_url) else None)
    warnings: list[Advice] = []
    before = _server_metrics(plan, warnings)
    recording = Recording(plan, environment, calibration)
    with _with_payloads(plan) as engine_plan, running_engine(engine_plan) as engine, stopped_by_signals(engine.stop):
        _listen(engine, recording, watch, on_second, should_stop)
    if recording.ending.crash is not None and not recording.requests:
        raise _as_error(recording.ending.crash)
    after = None if before is None else _server_metrics(plan, warnings)
    told = None
    if before is not None and after is not None:
        told = account(before, after, recording.paths, recording.answered)
        warnings.extend(told.warnings)
    if recalibrate is not None and recording.refutes_calibration():
        # Who has interrupted the run wants its end.
        recording.calibrate(None if recording.ending.interrupted else recalibrate())
    result = recording.result(told)
    return replace(result, warnings=(*result.warnings, *warnings))


def run_worker(master_host: str, master_port: int, *, connect_s: float) -> None:
    """Serve one run of a master on another machine; Ctrl-C ends it at once.

    Raises:
        PerfcliError: There is no master, or the engine could not go on.
    """
    plan = Plan(worker=True, master_host=master_host, master_port=master_port, connect_s=connect_s)
    with running_engine(plan) as engine:
        for message in engine.messages():
            if isinstance(message, Crash):
                raise _as_error(message)
        if engine.wait() != 0:
            raise MeasurementError(f"The load engine died: {engine.last_words()}.")


def examine_scenario(scenario: Path) -> ScenarioFacts:
    """Return what a scenario brings by itself; the engine loads it to know, but starts nothing of it.

    Raises:
        UsageError: The scenario cannot be loaded, or holds no users.
        MeasurementError: The engine died of it.
    """
    plan = Plan(scenario=str(scenario.resolve()), examines=True)
    with running_engine(plan) as engine:
        for message in engine.messages():
            if isinstance(message, ScenarioFacts):
                return message
            if isinstance(message, Crash):
                raise _as_error(message)
        raise MeasurementError(f"The load engine died of {scenario}: {engine.last_words()}.")


def ensure_measured(result: LoadResult) -> None:
    """Refuse a run that measured nothing; call it when the record is written.

    Raises:
        TargetUnreachableError: No request reached the server.
        MeasurementError: The engine crashed, or no request ended in the measured window.
    """
    for warning in result.warnings:
        if warning.code == ENGINE_CRASHED:
            raise MeasurementError(warning.message, warning.hint)
    if result.partial and not result.total.requests:
        return  # Interrupted before the first answer: that is no fault of anybody's.
    requests = sum(second.requests for second in result.seconds)
    for warning in result.warnings:
        if warning.code == SCENARIO_ERROR and not requests:
            raise MeasurementError(f"No request ended. {warning.message}", warning.hint)
    if not requests:
        raise MeasurementError("No request ended.", "Let it run longer, or look at what the scenario does.")
    if requests == sum(error.count for error in result.errors if error.kind in UNREACHED):
        worst = result.errors[0]
        raise TargetUnreachableError(f"No request reached {result.description.url}: {worst.example}")
    if not result.total.requests:
        raise MeasurementError("No request ended after the warm-up.", "Let it run longer, or use --warm-up none.")


def ensure_answered(result: LoadResult) -> None:
    """Refuse to call a run a success in which no request was one; for runs that no SLO has judged.

    Raises:
        MeasurementError: Every request failed.
    """
    if result.total.requests and result.total.failures == result.total.requests:
        raise MeasurementError(
            f"Every request failed, so no latency was measured: {result.errors[0].example.rstrip('.')}.",
            _likely_cause(result.errors),
        )


def calibrate_engine(*, anew: bool = False) -> Calibration | None:
    """Measure what the engine costs on this machine, or return what was measured within the last day.

    Raises:
        SettingsError: There is no folder for the cache.
    """
    return calibrate(_run_to_its_end, bundled_path(CALIBRATION_SCENARIO), cache_folder(), anew=anew)


def check_reachable(base_url: str) -> None:
    """Connect once, so that a dead port is said at once rather than after thousands of refused requests.

    Raises:
        TargetUnreachableError: Nothing accepts a connection.
    """
    try:
        socket.create_connection(address_of(base_url), _CONNECT_S).close()
    except OSError as error:
        here = "Start the API with `perfcli serve`, or leave --host out to load the embedded one."
        raise TargetUnreachableError(
            f"Cannot reach {base_url}: {(error.strerror or str(error)).lower()}.",
            here if is_loopback(base_url) else "Check host and port.",
        ) from error


def _listen(
    engine: Engine,
    recording: Recording,
    watch: Watch,
    on_second: Callable[[LoadSecond], None] | None,
    should_stop: Callable[[LoadResult], bool] | None,
) -> None:
    """Record all the engine says, until it falls silent."""
    ending = recording.ending
    for message in engine.messages():
        match message:
            case Hello():
                recording.begin(message)
                # What the server does before the load starts, while the engine does, is none of the first second.
                watch.sample()
            case WorkerLost():
                ending.lost.append(message)
            case End():
                ending.end = message
            case Crash():
                ending.crash = message
            case Second():
                second = recording.add(message, watch.sample())
                if on_second is not None:
                    on_second(second)
                if should_stop is not None and not ending.stopped_early and should_stop(recording.result()):
                    ending.stopped_early = True
                    engine.stop()
    if ending.end is None and ending.crash is None:
        ending.last_words = engine.last_words()


def _likely_cause(errors: Sequence[ErrorCount]) -> str:
    # A redirect fails the checks too, and does so by its status.
    if all(error.kind == CHECK_FAILED and not error.example.startswith("status ") for error in errors):
        return "If such answers are right, judge them by their status alone: --check status."
    return "The path, the payloads and the headers are the usual causes."


def _run_to_its_end(plan: Plan) -> list[Message]:
    with running_engine(plan) as engine:
        return list(engine.messages())


@contextmanager
def _with_payloads(plan: LoadPlan) -> Iterator[Plan]:
    """Write the payloads where the engine reads them: one JSON body a line, serialised this once."""
    if not plan.payloads:
        yield plan.engine
        return
    with tempfile.NamedTemporaryFile(prefix="perfcli-", suffix=".jsonl") as file:
        for payload in plan.payloads:
            file.write(orjson.dumps(payload, option=orjson.OPT_APPEND_NEWLINE))
        file.flush()
        yield replace(plan.engine, payload_file=file.name)


def _as_error(crash: Crash) -> PerfcliError:
    kind = UsageError if crash.exit_code == ExitCode.USAGE else MeasurementError
    return kind(crash.message, crash.hint)


def _server_metrics(plan: LoadPlan, warnings: list[Advice]) -> Collection[MetricSample] | None:
    """Read the server's metrics; None when there are none, with a warning when it only keeps them from us."""
    if plan.metrics_url is None:
        return None
    missing = "the server's own count of the requests is missing."
    try:
        metrics = read_metrics(plan.metrics_url, plan.metrics_token)
    except MetricsRefusedError:
        message = f"{mask_url(plan.metrics_url)} wants a token: {missing}"
        warnings.append(Advice("metrics_refused", message, "Set API_TOKEN here to the token it has there."))
        return None
    if metrics is None:
        message = f"{mask_url(plan.metrics_url)} offers no metrics: {missing}"
        warnings.append(Advice("metrics_missing", message, "Check the address, or leave --metrics-url out."))
    return metrics
