from __future__ import annotations

from collections.abc import Callable

from perfcli.loadtest.calibration import Calibration
from perfcli.loadtest.messages import Endpoint, Latencies, Second
from perfcli.records.load import GeneratorReport, LoadResult

Record = Callable[..., LoadResult]
MakeSecond = Callable[..., Second]
MakeEndpoint = Callable[..., Endpoint]
MakeLatencies = Callable[..., Latencies]


def test_a_generator_with_time_to_spare_is_trustworthy(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    generator = record([second(0, endpoint([0.004] * 250), cpu_ratio=0.5)]).generator

    assert (generator.verdict, generator.reasons, generator.cpu_ratio) == ("trustworthy", (), 0.5)


def test_a_generator_that_used_up_its_core_is_the_bottleneck(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    result = record([second(index, endpoint([0.0001] * 9000), cpu_ratio=0.97) for index in range(5)])

    assert result.generator.verdict == "generator-bound"
    assert result.generator.reasons == ("a process of it used 97.0 % of its core",)
    assert result.diagnosis is not None
    assert result.diagnosis.endswith("try --processes 2.")


def test_a_short_burst_of_its_processor_is_not_held_against_it(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    seconds = [second(index, endpoint([0.004] * 250)) for index in range(9)]

    result = record([*seconds, second(9, endpoint([0.004]), elapsed_s=0.01, cpu_ratio=1.0)])

    assert result.generator.verdict == "trustworthy"


def test_a_late_request_among_a_hundred_is_chance_and_one_in_ten_is_not(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, latencies: MakeLatencies
) -> None:
    def judged(late: int) -> GeneratorReport:
        lag = latencies([0.0001] * (120 - late) + [0.005] * late)
        return record([second(0, endpoint([0.01] * 120, service_s=[0.01] * 120), lag=lag)], rate_rps=120.0).generator

    assert judged(3).verdict == "trustworthy"
    assert judged(12).reasons == ("5.0 % of the requests were sent more than 5.00 ms late, beside a p95 of 10.0 ms",)


def test_requests_sent_late_count_when_the_delay_is_a_visible_part_of_the_latency(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, latencies: MakeLatencies
) -> None:
    late = latencies([0.0001] * 490 + [0.005] * 10)

    fast = record(
        [second(0, endpoint([0.010] * 500, service_s=[0.010] * 500), lag=late, cpu_ratio=0.05)], rate_rps=500.0
    )
    slow = record([second(0, endpoint([0.900] * 500, service_s=[0.900] * 500), lag=late)], rate_rps=500.0)

    assert fast.generator.verdict == "generator-bound"
    assert "5.00 ms late, beside a p99 of 10.0 ms" in fast.generator.reasons[0]
    assert slow.generator.verdict == "trustworthy"
    assert fast.diagnosis is not None
    assert fast.diagnosis.startswith("The machine was too busy for the generator, which used 5.0 % of a core: 1.0 % of")


def test_a_delay_of_less_than_a_millisecond_is_none(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, latencies: MakeLatencies
) -> None:
    lag = latencies([0.0009] * 500)
    result = record([second(0, endpoint([0.001] * 500, service_s=[0.0001] * 500), lag=lag)], rate_rps=500.0)

    assert result.generator.verdict == "trustworthy"


CEILING = Calibration(floor_s=0.0001, ceiling_rps=10_000.0)


def test_more_arrivals_than_the_generator_can_make_are_its_limit_whatever_the_service_does(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    # It waits for answers most of the time, and the service refuses nearly all of them: neither is what to correct.
    answers = endpoint([1.6] * 50, failed={"http_5xx": [1.6] * 2450}, service_s=[1.6] * 50)
    seconds = [second(index, answers, scheduled=20_000, dropped=17_500, cpu_ratio=0.3) for index in range(3)]

    result = record(seconds, calibration=CEILING, rate_rps=20_000.0)

    assert result.generator.verdict == "generator-bound"
    assert result.generator.reasons == ("20000/s were due, and it makes at most 10000/s",)
    assert result.diagnosis == (
        "The arrival rate is above what the generator can make: 20000/s were due, and it makes at most 10000/s: try"
        " --processes 2, or a lower rate."
    )


def test_the_highest_second_of_a_shape_is_what_the_generator_must_make(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint
) -> None:
    seconds = [
        second(index, endpoint([0.1] * 100, service_s=[0.1] * 100), scheduled=due, dropped=due - 100)
        for index, due in enumerate([100, 12_000, 100])
    ]

    generator = record(seconds, calibration=CEILING, shape="hold 100/1s", arrivals="constant").generator

    assert generator.reasons == ("12000/s were due, and it makes at most 10000/s",)


def test_a_saturated_service_is_not_taken_for_the_generators_limit(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, latencies: MakeLatencies
) -> None:
    lag = latencies([0.0002] * 80 + [0.01] * 20)
    answers = endpoint([1.6] * 100, service_s=[1.6] * 100)
    seconds = [second(index, answers, scheduled=2000, dropped=1900, late=20, lag=lag) for index in range(3)]

    result = record(seconds, calibration=CEILING, rate_rps=2000.0)

    assert result.generator.verdict == "trustworthy"
    assert result.diagnosis is not None
    assert result.diagnosis.startswith("The arrival rate is above the capacity")


def test_a_generator_that_sent_everything_in_time_was_not_at_its_limit(
    record: Record, second: MakeSecond, endpoint: MakeEndpoint, latencies: MakeLatencies
) -> None:
    lag = latencies([0.0002] * 12_000)
    seconds = [second(0, endpoint([0.001] * 12_000, service_s=[0.001] * 12_000), lag=lag)]

    assert record(seconds, calibration=CEILING, rate_rps=12_000.0).generator.verdict == "trustworthy"
