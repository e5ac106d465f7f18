from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from perfcli.loadtest import diagnosis
from perfcli.loadtest.messages import Endpoint, Second
from perfcli.loadtest.watch import ServerSample
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
    assert diagnose(0.1, 100, server(0.1), machine=0.97) is None


def test_growing_memory_is_told(diagnose: Callable[..., str | None]) -> None:
    said = diagnose(0.01, 100, [server(0.3, rss_mb=100 + 20 * second) for second in range(10)])

    assert said is not None
    assert said.startswith("The server's memory grew from 100 MiB to 280 MiB")


def test_a_server_with_time_to_spare_kept_up(diagnose: Callable[..., str | None]) -> None:
    assert diagnose(0.01, 100, server(0.3)) == "The server kept up: it used 30 % of a core."


def test_mostly_failures_come_first(diagnose: Callable[..., str | None]) -> None:
    said = diagnose(0.1, 100, server(0.99), failed={"http_5xx": [0.001] * 200, "reset": [0.1] * 10})

    assert said == "67.7 % of the requests failed, most often http_5xx: http_5xx as an example"


def test_the_failures_of_the_warm_up_are_not_named(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    cold = [second(index, endpoint([0.01] * 10, {"http_4xx": [0.001] * 500})) for index in range(3)]
    warm = [second(index, endpoint([0.01] * 80, {"http_5xx": [0.001] * 20})) for index in range(3, 8)]

    result = record([*cold, *warm], warm_up="3s")

    assert result.errors[0].kind == "http_4xx"
    assert result.diagnosis == "20.0 % of the requests failed, most often http_5xx: http_5xx as an example"


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


def test_a_queue_that_grows_is_overload_though_nothing_was_dropped(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    """Four slots of 20 ms answer 200 a second; 300 come."""
    loaded = [
        second(
            index,
            endpoint([0.02 + 0.5 * index] * 200, service_s=[0.02 + 0.5 * index] * 200),
            scheduled=300,
            in_flight=100 * (index + 1),
        )
        for index in range(9)
    ]
    drained = [second(9 + index, endpoint([4.5] * 200, service_s=[4.5] * 200), scheduled=0) for index in range(4)]

    result = record([*loaded, *drained], servers=[server(0.1)] * 13, rate_rps=300.0, duration_s=9.0)

    assert result.diagnosis == (
        "The arrival rate is above the capacity: 300/s were due, 200/s answered;"
        " 200 were unanswered in the first third of the run, 800 in the last."
    )


def test_a_burst_of_random_arrivals_is_no_overload(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    seconds = [
        second(index, endpoint([0.01] * answered, service_s=[0.01] * answered), scheduled=100, in_flight=waiting)
        for index, (answered, waiting) in enumerate([(100, 0), (97, 3), (94, 9)])
    ]
    regular = record(seconds, rate_rps=100.0, duration_s=3.0)
    random = replace(regular, description=replace(regular.description, arrivals="poisson"))

    assert "above the capacity" in (diagnosis.diagnose(regular) or "")
    assert "above the capacity" not in (diagnosis.diagnose(random) or "")


def test_a_long_but_even_latency_of_an_open_loop_is_no_overload(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    """Of the first second none is answered in it; the server computes all the while."""
    seconds = [second(0, scheduled=20, in_flight=20)]
    seconds += [second(index, endpoint([1.0] * 20, service_s=[1.0] * 20), in_flight=20) for index in range(1, 10)]

    said = record(seconds, servers=[server(0.6)] * 10, rate_rps=20.0, machine_cpu_ratio=0.97).diagnosis

    assert said is None


@pytest.mark.parametrize(("failed", "said"), [(49, "49.0 %"), (1, "1.0 %")])
def test_failures_are_told_before_anybody_says_that_the_server_kept_up(
    diagnose: Callable[..., str | None], failed: int, said: str
) -> None:
    found = diagnose(0.01, 100 - failed, server(0.3), failed={"http_5xx": [0.001] * failed})

    assert found == f"{said} of the requests failed, most often http_5xx: http_5xx as an example"


def test_a_tail_far_from_the_median_is_told(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    """One second of ten is frozen."""
    seconds = [second(index, endpoint([0.005] * 90 + [0.97] * 10)) for index in range(10)]

    assert record(seconds, servers=[server(0.1)] * 10).diagnosis == (
        "Some answers take far longer than most: p99 is 194 times the median;"
        " look for pauses: garbage collection, a lock, a cold cache, other work on the machine."
    )


def test_a_freeze_that_few_waiting_users_saw_is_told_by_what_was_not_answered(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    answered = [500, 500, 500, 500, 20, 500, 500, 500, 500, 500]
    seconds = [second(index, endpoint([0.003] * count)) for index, count in enumerate(answered)]

    assert record(seconds, servers=[server(0.4)] * 10).diagnosis == (
        "The answers stalled: 20.0/s in one second, 500/s in most;"
        " look for pauses: garbage collection, a lock, a cold cache, other work on the machine."
    )


def test_users_who_are_still_being_started_are_no_stall(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    seconds = [
        second(index, endpoint([0.003] * min(500, 100 * (index + 1))), users=min(5, index + 1)) for index in range(10)
    ]

    said = record(seconds, servers=[server(0.4)] * 10, warm_up="none").diagnosis

    assert said == "The server kept up: it used 40 % of a core."


def test_one_slow_request_after_the_other_is_told(diagnose: Callable[..., str | None]) -> None:
    """A user who waits 125 ms each time, of which the server computes 5 ms."""
    assert diagnose(0.125, 8, server(0.04)) == (
        "The server uses 4 % of a core: each request takes 125 ms with 5.00 ms of CPU, so it waits itself: for a lock,"
        " a pool of threads, a disk, another service."
    )


def test_a_latency_that_grows_is_told(record: Record, second: MakeSecond, endpoint: MakeEndpoint) -> None:
    seconds = [second(index, endpoint([0.001 * (1 + index)] * 100)) for index in range(9)]

    assert record(seconds, servers=[server(0.4)] * 9).diagnosis == (
        "The latency grew: its median from 2.00 ms in the first third of the run to 8.00 ms in the last."
    )


def test_a_latency_that_grows_by_less_than_a_millisecond_is_the_clients_noise(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    seconds = [second(index, endpoint([0.0001 * (1 + index)] * 100)) for index in range(9)]

    assert record(seconds, servers=[server(0.4)] * 9).diagnosis == "The server kept up: it used 40 % of a core."


def test_who_is_waited_for_at_the_end_did_not_keep_up(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    loaded = [second(index, endpoint([0.004] * 100, service_s=[0.004] * 100)) for index in range(9)]
    drained = [second(9 + index, scheduled=0) for index in range(3)]

    def said(waited: int) -> str | None:
        seconds = [*loaded, *drained[:waited]]
        return record(seconds, servers=[server(0.1)] * len(seconds), rate_rps=100.0, duration_s=9.0).diagnosis

    assert said(1) == "The server kept up: it used 10 % of a core."
    assert said(2) is None


def test_a_run_too_short_to_have_a_course_says_nothing(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    assert (
        record([second(index, endpoint([0.004] * 100)) for index in range(2)], servers=[server(0.1)] * 2).diagnosis
        is None
    )
