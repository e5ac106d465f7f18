from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcli.loadtest.engine.recorder import Histogram
from perfcli.loadtest.messages import Endpoint, Latencies, Outcome
from perfcli.loadtest.tally import Durations, EndpointTally, merged
from perfcli.records.load import Quantiles
from perfcli.statistics.histograms import decode_histogram

NOTHING = Latencies({}, 0, 0)


def durations(values_ns: Any) -> Durations:
    found = Durations()
    for value in values_ns:
        found.add(latencies([value]))
    return found


def latencies(values_ns: Any) -> Latencies:
    histogram = Histogram()
    for value in values_ns:
        histogram.add(value)
    return histogram.frozen()


@pytest.mark.parametrize("median_s", [0.00042, 0.00145, 0.104])
def test_percentiles_are_within_a_thousandth_of_numpy_over_the_raw_samples(median_s: float) -> None:
    source = random.Random(1)
    values = [round(median_s * 1e9 * source.lognormvariate(0, 0.6)) for _ in range(20_011)]

    found = durations(values)

    for q in (0.5, 0.9, 0.95, 0.99, 0.999):
        truth = float(np.percentile(values, q * 100, method="inverted_cdf")) / 1e9
        assert found.percentile_s(q) == pytest.approx(truth, rel=1e-3)
    assert found.quantiles().max_s == max(values) / 1e9
    assert found.quantiles().mean_s == pytest.approx(sum(values) / len(values) / 1e9, rel=1e-12)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3_600_000_000_000), min_size=1, max_size=60), st.integers(0, 60))
def test_merging_parts_gives_what_the_whole_gives(values: list[int], cut: int) -> None:
    left, right = durations(values[:cut]), durations(values[cut:])

    left.add(right)

    assert left == durations(values)
    assert left.percentile_s(1.0) == max(values) / 1e9


def test_the_mean_time_is_of_successes_and_failures_from_the_sending_on() -> None:
    succeeded = Outcome(2, Latencies({}, 1_000, 600), Latencies({}, 900, 500))
    failed = Outcome(1, Latencies({}, 5_000, 5_000), Latencies({}, 300, 300))
    tally = EndpointTally()
    tally.add(Endpoint("POST", "/predict", succeeded, failed, ()))
    tally.add(Endpoint("POST", "/predict", succeeded, Outcome(0, NOTHING, None), ()))
    assert merged([tally, tally]).result(1.0).mean_time_s == pytest.approx((900 + 300 + 900) / 5 / 1e9)
    # In a closed loop a request is due when it is sent.
    closed = EndpointTally()
    closed.add(Endpoint("POST", "/predict", Outcome(1, Latencies({}, 800, 800), None), failed, ()))
    assert closed.result(1.0).mean_time_s == pytest.approx((800 + 300) / 2 / 1e9)
    assert EndpointTally().result(1.0).mean_time_s is None


@settings(max_examples=50)
@given(st.lists(st.integers(1, 3_600_000_000_000), min_size=1, max_size=60))
def test_the_encoded_histogram_is_the_one_the_library_itself_would_write(values: list[int]) -> None:
    truth = HdrHistogram(1, 3_600_000_000_000, 3)
    for value in values:
        truth.record_value(value)

    assert durations(values).encoded() == truth.encode().decode()


def test_an_encoded_histogram_read_back_counts_every_sample() -> None:
    read = decode_histogram(durations([400_000] * 3 + [2_000_000]).encoded())

    assert [(pytest.approx(value, rel=1e-3), count) for value, count in read] == [(0.0004, 3), (0.002, 1)]


def test_a_percentile_without_enough_samples_is_not_stated() -> None:
    found = durations([1_000_000] * 458).quantiles()

    assert found.p95_s == pytest.approx(0.001, rel=1e-3)
    assert found.p99_s is None
    assert durations([1_000_000] * 459).quantiles().p99_s == pytest.approx(0.001, rel=1e-3)


def test_no_duration_has_no_statistics() -> None:
    assert Durations().quantiles() == Quantiles(None, None, None, None, None, None, None)
    with pytest.raises(ValueError, match="no values"):
        Durations().percentile_s(0.5)


def test_service_time_of_a_closed_loop_is_its_response_time() -> None:
    tally = EndpointTally()

    tally.add(Endpoint("POST", "/predict", Outcome(1, Latencies({5: 1}, 5, 5), None), Outcome(0, NOTHING, None), ()))

    assert tally.service.counts == {5: 1}


def test_failures_never_touch_the_latencies_of_successes() -> None:
    tally = EndpointTally()
    slow, fast = latencies([10**8] * 10), latencies([10**5] * 10)
    tally.add(Endpoint("POST", "/predict", Outcome(10, slow, None), Outcome(10, fast, None), ()))

    result = merged([tally, EndpointTally()]).result(elapsed_s=2.0)

    assert (result.requests, result.failures, result.successes) == (20, 10, 10)
    assert result.latency.p50_s == pytest.approx(0.1, rel=1e-3)
    assert result.failure_latency.p50_s == pytest.approx(0.0001, rel=1e-3)
    assert (result.throughput_rps, result.success_rps, result.error_ratio) == (10.0, 5.0, 0.5)
