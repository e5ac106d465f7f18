"""Counts are exact and histograms lose less than a thousandth."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from perfcli.loadtest.buckets import HISTOGRAM_DIGITS, HISTOGRAM_MAX_NS, highest_in_bucket
from perfcli.loadtest.engine.faults import Kind
from perfcli.loadtest.engine.recorder import Histogram, Recorder
from perfcli.loadtest.messages import LATE_NS, Latencies

KEY = ("POST", "/predict")


def _percentile(latencies: Latencies, q: float) -> int:
    rank = math.ceil(q * latencies.total)
    for bucket in sorted(latencies.counts):
        rank -= latencies.counts[bucket]
        if rank <= 0:
            return highest_in_bucket(bucket)
    raise AssertionError


@pytest.mark.parametrize("median_ns", [420_000, 1_450_000, 104_000_000])
def test_percentiles_are_within_a_thousandth_of_numpy_on_the_raw_values(median_ns) -> None:
    values = np.random.default_rng(1).lognormal(math.log(median_ns), 0.7, 19_999).astype(int)
    recorder = Recorder(open_loop=False)
    for value in values.tolist():
        recorder.sent(None, 0)
        recorder.succeeded(KEY, 0, 0, value)
    _, _, [endpoint] = recorder.take()
    response = endpoint.succeeded.response
    for q in (0.5, 0.9, 0.95, 0.99, 0.999, 1.0):
        exact = np.quantile(values, q, method="inverted_cdf")
        assert _percentile(response, q) == pytest.approx(exact, rel=0.001), q
    assert (response.sum_ns, response.max_ns, response.total) == (values.sum(), values.max(), 19_999)


def test_the_buckets_are_those_of_hdrhistogram() -> None:
    values = np.unique(np.geomspace(1, HISTOGRAM_MAX_NS, 5000).astype(int)).tolist()
    reference = HdrHistogram(1, HISTOGRAM_MAX_NS, HISTOGRAM_DIGITS)
    for value in values:
        histogram = Histogram()
        histogram.add(value)
        [bucket] = histogram.counts
        assert bucket == reference.get_counts_array_index(value)
        assert highest_in_bucket(bucket) == reference.get_highest_equivalent_value(value)


def test_the_open_loop_holds_time_from_the_intended_start_beside_time_from_the_send() -> None:
    recorder = Recorder(open_loop=True)
    recorder.sent(1_000, 3_000_000)
    recorder.succeeded(KEY, 1_000, 3_000_000, 5_000_000)
    totals, lag, [endpoint] = recorder.take()
    assert (endpoint.succeeded.response.max_ns, endpoint.succeeded.service.max_ns) == (4_999_000, 2_000_000)
    assert lag.max_ns == 2_999_000
    assert (totals.sent, totals.late, totals.scheduled) == (1, 1, 0)


def test_a_millisecond_after_the_intended_start_is_not_yet_late() -> None:
    recorder = Recorder(open_loop=True)
    recorder.sent(0, LATE_NS)
    recorder.sent(0, LATE_NS + 1)
    assert recorder.now.late == 1


def test_without_an_intended_start_a_request_is_scheduled_when_it_is_sent() -> None:
    recorder = Recorder(open_loop=False)
    recorder.sent(None, 5)
    totals, lag, endpoints = recorder.take()
    assert (totals.scheduled, totals.sent, lag.total, endpoints) == (1, 1, 0, ())


def test_a_further_request_of_a_task_is_no_arrival_of_the_open_loop() -> None:
    recorder = Recorder(open_loop=True)
    recorder.sent(0, 5)
    recorder.sent(None, 9)
    totals, lag, _ = recorder.take()
    assert (totals.scheduled, totals.sent, totals.further, lag.total) == (0, 2, 1, 1)


def test_failures_are_apart_from_successes_and_keep_the_first_example() -> None:
    recorder = Recorder(open_loop=False)
    for ended_ns, kind, example in ((10, Kind.RESET, "first"), (20, Kind.RESET, "second"), (30, Kind.DNS, "x" * 1000)):
        recorder.sent(None, 0)
        recorder.failed(KEY, 0, 0, ended_ns, kind, example)
    recorder.sent(None, 0)
    recorder.succeeded(KEY, 0, 0, 40)
    _, _, [endpoint] = recorder.take()
    assert (endpoint.succeeded.count, endpoint.failed.count) == (1, 3)
    assert (endpoint.succeeded.response.sum_ns, endpoint.failed.response.sum_ns) == (40, 60)
    assert [(failures.kind, failures.count, failures.example) for failures in endpoint.failures] == [
        ("reset", 2, "first"),
        ("dns", 1, "x" * 300),
    ]


def test_requests_in_flight_are_those_sent_and_not_ended() -> None:
    recorder = Recorder(open_loop=False)
    for _ in range(3):
        recorder.sent(None, 0)
        recorder.depart(0)
    recorder.succeeded(KEY, 0, 0, 1)
    recorder.failed(KEY, 0, 0, 1, Kind.INCOMPLETE, "")
    assert (recorder.in_flight, recorder.now.incomplete) == (1, 1)


def test_time_in_flight_is_the_integral_of_their_number_second_by_second() -> None:
    recorder = Recorder(open_loop=True)
    recorder.depart(100)
    recorder.depart(250)
    recorder.succeeded(KEY, 0, 100, 400)
    # One of 300, and of the other the 750 that lie in this second.
    assert recorder.take_in_flight_ns(1_000) == 300 + 750
    recorder.depart(1_700)
    recorder.failed(KEY, 0, 250, 1_900, Kind.RESET, "")
    assert recorder.take_in_flight_ns(2_000) == 900 + 300
    assert recorder.take_in_flight_ns(3_000) == 1_000
    recorder.succeeded(KEY, 0, 1_700, 3_100)
    assert recorder.take_in_flight_ns(4_000) == 100
    assert recorder.take_in_flight_ns(5_000) == 0


def test_seconds_begin_at_zero_and_the_sum_goes_on() -> None:
    recorder = Recorder(open_loop=False)
    recorder.sent(None, 0)
    recorder.take()
    recorder.sent(None, 0)
    recorder.resent()
    assert (recorder.now.sent, recorder.sum().sent, recorder.sum().resent) == (1, 2, 1)


def test_a_scenario_that_names_every_request_differently_does_not_grow_without_bound() -> None:
    recorder = Recorder(open_loop=False)
    for number in range(1_500):
        recorder.sent(None, 0)
        recorder.succeeded(("GET", f"/patients/{number}"), 0, 0, 1)
    _, _, endpoints = recorder.take()
    counts = {endpoint.name: endpoint.succeeded.count for endpoint in endpoints}
    assert len(counts) == 1_001
    assert counts["(other)"] == 500


def _says(duration_ms: float) -> list[tuple[bytes, bytes]]:
    return [(b"Content-Type", b"application/json"), (b"Server-Timing", f"total;dur={duration_ms}".encode())]


def _mean_ms(timings: Mapping[str, float]) -> float:
    weighted = [(float(header.removeprefix("total;dur=")), answers) for header, answers in timings.items()]
    return sum(value * answers for value, answers in weighted) / sum(answers for _, answers in weighted)


def test_what_the_server_says_is_sampled_from_the_whole_second() -> None:
    """Every second begins with the answers of a queue: 40 of 400 take 100 ms, the others 10 ms."""
    recorder = Recorder(open_loop=False)
    means = []
    for _ in range(100):
        for number in range(400):
            recorder.sample(_says(100 if number < 40 else 10))
        timings = recorder.take_server_timing()
        assert sum(timings.values()) == pytest.approx(400)
        means.append(_mean_ms(timings))
    # The true mean is 19 ms; of one sample of 50 it scatters by 27 ms / sqrt(50), of all of them by a tenth of that.
    assert sum(means) / 100 == pytest.approx(19, abs=4 * 27 / math.sqrt(50) / 10)


def test_few_answers_are_all_read_and_one_without_the_header_still_counts() -> None:
    recorder = Recorder(open_loop=False)
    for headers in (_says(1), _says(1), _says(2.5), [], [(b"server-timing", b"a"), (b"SERVER-TIMING", b"b;dur=2")]):
        recorder.sample(headers)
    assert recorder.take_server_timing() == {"total;dur=1": 2, "total;dur=2.5": 1, "a, b;dur=2": 1}
    assert recorder.take_server_timing() == {}


def test_paths_that_go_by_another_name_are_noted_up_to_a_number() -> None:
    recorder = Recorder(open_loop=False)
    recorder.named("/v2/infer")
    recorder.named("/v2/infer")
    assert recorder.paths == ("/v2/infer",)
    for number in range(1_500):
        recorder.named(f"/patients/{number}")
    assert len(recorder.paths) == 1_000
