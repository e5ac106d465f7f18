from __future__ import annotations

from collections.abc import Callable

import pytest

from perfcli.loadtest.watch import ServerSample
from perfcli.loadtest.wire import Endpoint, Second
from perfcli.records.load import LoadResult

Record = Callable[..., LoadResult]
MakeSecond = Callable[..., Second]
MakeEndpoint = Callable[..., Endpoint]


@pytest.fixture
def diagnose(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> Callable[..., str | None]:
    """Load a server for ten seconds and say what the result says."""

    def run(
        latency_s: float, per_second: int, server: ServerSample | list[ServerSample], **fields: object
    ) -> str | None:
        seconds = [second(index, endpoint([latency_s] * per_second, fields.get("failed"))) for index in range(10)]
        servers = server if isinstance(server, list) else [server] * 10
        return record(seconds, servers=servers, machine_cpu_ratio=fields.get("machine", 0.5)).diagnosis

    return run


def server(cpu: float, busiest: float | None = None, rss_mb: int = 100) -> ServerSample:
    return ServerSample(1.0, 1, cpu, cpu if busiest is None else busiest, rss_mb * 2**20, 10)


def test_a_saturated_worker_is_named_with_the_share_of_waiting(diagnose: Callable[..., str | None]) -> None:
    # 100 requests of 9.9 ms CPU each fill the worker; ten users then wait 100 ms for an answer.
    assert diagnose(0.1, 100, server(0.99)) == (
        "The server's one worker is at 99 % of a core, 90 % of p99 is waiting: try --workers 2."
    )


def test_several_saturated_workers_are_counted(diagnose: Callable[..., str | None]) -> None:
    said = diagnose(0.1, 100, server(1.9, 0.95))

    assert said == "The server's 2 workers are each at 95 % of a core, 81 % of p99 is waiting: try --workers 4."


def test_a_server_that_waits_itself_is_told_from_one_that_computes(diagnose: Callable[..., str | None]) -> None:
    said = diagnose(0.1, 100, server(0.1))

    assert said is not None
    assert said.startswith("The server uses 10 % of a core while 10 requests are in its hands: each takes 100 ms with")
    assert "1.00 ms of CPU" in said


def test_little_processor_time_on_a_busy_machine_proves_nothing(diagnose: Callable[..., str | None]) -> None:
    assert diagnose(0.1, 100, server(0.1), machine=0.97) == "The server kept up: it used 10 % of a core."


def test_growing_memory_is_told(diagnose: Callable[..., str | None]) -> None:
    said = diagnose(0.01, 100, [server(0.3, rss_mb=100 + 20 * second) for second in range(10)])

    assert said is not None
    assert said.startswith("The server's memory grew from 100 MiB to 280 MiB")


def test_a_server_with_time_to_spare_kept_up(diagnose: Callable[..., str | None]) -> None:
    assert diagnose(0.01, 100, server(0.3)) == "The server kept up: it used 30 % of a core."


def test_mostly_failures_come_first(diagnose: Callable[..., str | None]) -> None:
    said = diagnose(0.1, 100, server(0.99), failed={"http_5xx": [0.001] * 200, "reset": [0.1] * 10})

    assert said == "67.7 % of the requests failed, most often http_5xx: http_5xx as an example"


def test_nothing_is_said_without_data(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    assert record([second(0, endpoint([0.01] * 100))]).diagnosis is None


def test_dropped_arrivals_mean_overload(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    seconds = [
        second(index, endpoint([0.5] * 100, service_s=[0.5] * 100), scheduled=200, dropped=100) for index in range(5)
    ]

    assert record(seconds, rate_rps=200.0).diagnosis == (
        "The arrival rate is above the capacity: 500 of 1000 arrivals found too many unanswered before them and were"
        " dropped; 100/s were answered."
    )
