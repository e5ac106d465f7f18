"""Seconds as the engine reports them, and results, made of a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from perfcli.loadtest.calibration import Calibration
from perfcli.loadtest.engine.recorder import Histogram
from perfcli.loadtest.messages import End, Endpoint, Failures, Hello, Latencies, Outcome, Second, WorkerLost
from perfcli.loadtest.options import LoadOptions
from perfcli.loadtest.planning import LoadPlan, plan_load
from perfcli.loadtest.recording import Recording
from perfcli.loadtest.server_metrics import ServerAccount
from perfcli.loadtest.watch import Sample, ServerSample
from perfcli.records.environment import Environment
from perfcli.records.load import LoadResult

ENVIRONMENT = Environment("0.1.0", "3.11.7", "Linux", None, 2, 2**30, None)


def make_latencies(values_s: Sequence[float]) -> Latencies:
    histogram = Histogram()
    for value_s in values_s:
        histogram.add(round(value_s * 1e9))
    return histogram.frozen()


def make_endpoint(
    succeeded_s: Sequence[float],
    failed: Mapping[str, Sequence[float]] | None = None,
    *,
    name: str = "/predict",
    method: str = "POST",
    service_s: Sequence[float] | None = None,
) -> Endpoint:
    failed = failed or {}
    failed_s = [value for values in failed.values() for value in values]
    return Endpoint(
        method=method,
        name=name,
        succeeded=Outcome(
            len(succeeded_s), make_latencies(succeeded_s), None if service_s is None else make_latencies(service_s)
        ),
        failed=Outcome(len(failed_s), make_latencies(failed_s), None),
        failures=tuple(Failures(kind, len(values), f"{kind} as an example") for kind, values in failed.items()),
    )


def make_second(index: int, *endpoints: Endpoint, **fields: Any) -> Second:
    sent = sum(each.succeeded.count + each.failed.count for each in endpoints)
    plain: dict[str, Any] = {
        "index": index,
        "elapsed_s": 1.0,
        "users": 1,
        "in_flight": 0,
        "in_flight_ns": 0,
        "scheduled": sent,
        "sent": sent,
        "late": 0,
        "dropped": 0,
        "resent": 0,
        "lag": make_latencies([]),
        "cpu_ratio": 0.2,
        "rss_bytes": 50 * 2**20,
        "endpoints": endpoints,
    }
    return Second(**{**plain, **fields})


def make_ended(elapsed_s: float, reason: str = "duration", **fields: Any) -> End:
    plain: dict[str, Any] = {
        "reason": reason,
        "elapsed_s": elapsed_s,
        "drained_s": 0.0,
        "scheduled": 0,
        "sent": 0,
        "late": 0,
        "dropped": 0,
        "incomplete": 0,
        "scenario_errors": (),
    }
    return End(**{**plain, **fields})


@pytest.fixture
def latencies() -> Callable[..., Latencies]:
    return make_latencies


@pytest.fixture
def endpoint() -> Callable[..., Endpoint]:
    return make_endpoint


@pytest.fixture
def second() -> Callable[..., Second]:
    return make_second


@pytest.fixture
def ended() -> Callable[..., End]:
    return make_ended


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    file = tmp_path / "scenario.py"
    file.write_text("")
    return file


@pytest.fixture
def make_plan(scenario: Path) -> Callable[..., LoadPlan]:
    def make(**options: Any) -> LoadPlan:
        return plan_load(LoadOptions(**{"scenario": scenario, "host": "http://127.0.0.1:8000", **options}))

    return make


@pytest.fixture
def record(make_plan: Callable[..., LoadPlan]) -> Callable[..., LoadResult]:
    """Record seconds that were not idle, and return the result of the run they make."""

    def run(
        seconds: Sequence[Second],
        *,
        end: End | None = None,
        servers: Sequence[ServerSample | None] | None = None,
        machine_cpu_ratio: float = 0.3,
        calibration: Calibration | None = None,
        told: ServerAccount | None = None,
        lost: Sequence[WorkerLost] = (),
        **options: Any,
    ) -> LoadResult:
        recording = Recording(make_plan(**options), ENVIRONMENT, calibration)
        recording.begin(Hello(1, 1_700_000_000.0))
        for each, server in zip(seconds, servers or [None] * len(seconds), strict=True):
            recording.add(each, Sample(machine_cpu_ratio, server))
        recording.ending.end = end or make_ended(sum(each.elapsed_s for each in seconds))
        recording.ending.lost.extend(lost)
        return recording.result(told)

    return run
