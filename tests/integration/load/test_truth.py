"""Latencies that are known because the server was told to have them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from perfcli.statistics import percentile
from perfcli.statistics.histograms import decode_histogram, share_within

Perfcli = Callable[..., Any]


@pytest.mark.slow
def test_a_frozen_server_is_seen_by_all_who_would_have_asked_it(server: Any, perfcli: Perfcli) -> None:
    """Frozen 1 s in every 10: a closed loop would send nothing meanwhile, and see one slow answer per user."""
    outcome = perfcli(
        *("load", "--host", server.url, "--path", "/stall?every=10&for=1"),
        *("--rate", "200", "-t", "30s", "--warm-up", "none", "--json"),
    )

    assert outcome.code == 0, outcome.stderr
    record = outcome.record
    assert record["total"]["latency_ms"]["p99"] >= 850
    slow = 1 - (share_within(decode_histogram(record["total"]["histogram"]), 0.1) or 0.0)
    assert 0.08 <= slow <= 0.11
    arrivals = record["arrivals"]
    assert (arrivals["scheduled"], arrivals["dropped"], arrivals["sent"]) == (6000, 0, 6000)
    assert server.served() == outcome.requests == 6000
    assert record["total"]["throughput_rps"] == pytest.approx(200, rel=0.01)


@pytest.mark.parametrize("path", ["/sleep?s=0.02", "/bimodal?fast=0.01&slow=0.05", "/lognormal?median=0.02&sigma=0.5"])
def test_percentiles_are_those_the_server_wrote_down_itself(server: Any, perfcli: Perfcli, path: str) -> None:
    """The client sees each answer a little later than the server sent it, and never earlier."""
    outcome = perfcli(
        "load", "--host", server.url, "--path", path, "-u", "1", "--requests", "200", "--warm-up", "none", "--json"
    )

    (times_ns,) = server.read("times").values()
    truth_s = [value / 1e9 for value in times_ns]
    assert len(truth_s) == 200
    found = outcome.record["total"]["latency_ms"]
    for key, q in (("p50", 0.5), ("p95", 0.95)):
        true_ms = percentile(truth_s, q) * 1e3
        # The bound is the answer's way back on a machine that others use, too; it must not depend on the service.
        assert true_ms * 0.999 <= found[key] <= true_ms * 1.05 + 3, key
    assert found["p99"] is None


def test_half_of_503_leaves_the_median_of_the_successes_where_it_is(server: Any, perfcli: Perfcli) -> None:
    outcome = perfcli(
        *("load", "--host", server.url, "--path", "/half-503?s=0.05", "-u", "1", "--requests", "200"),
        *("--warm-up", "none", "--json"),
    )

    total = outcome.record["total"]
    assert (total["requests"], total["failures"], total["error_ratio"]) == (200, 100, 0.5)
    assert 50 <= total["latency_ms"]["p50"] < 75
    assert total["failure_latency_ms"]["p50"] < 25
    assert outcome.record["errors"][0]["kind"] == "http_5xx"


@pytest.mark.slow
def test_a_cold_start_is_found_and_left_out(server: Any, perfcli: Perfcli) -> None:
    """Ten times slower for its first five seconds."""
    outcome = perfcli("load", "--host", server.url, "--path", "/cold?s=0.02&for=5", "-u", "4", "-t", "20s", "--json")

    record = outcome.record
    assert 3.5 <= record["window"]["warm_up_s"] <= 6.5
    # 20 ms and not 200: the seconds of the cold server are shown, and not counted.
    assert 20 <= record["total"]["latency_ms"]["p50"] < 40
    cold = [second for second in record["seconds"] if not second["measured"]]
    assert cold[1]["latency_ms"]["p50"] >= 200
    assert outcome.requests == server.served()


def test_an_open_loop_asks_at_the_rate_it_was_told(server: Any, perfcli: Perfcli) -> None:
    outcome = perfcli(
        *("load", "--host", server.url, "--path", "/fast", "--rate", "100", "--arrivals", "poisson"),
        *("-t", "5s", "--warm-up", "none", "--seed", "1", "--json"),
    )

    (arrived_ns,) = server.read("arrivals").values()
    arrivals = outcome.record["arrivals"]
    assert arrivals["scheduled"] == arrivals["sent"] + arrivals["dropped"] == len(arrived_ns)
    # Poisson counts scatter by the square root of their number.
    assert abs(len(arrived_ns) - 500) <= 4 * math.sqrt(500)
    latency, service = outcome.record["total"]["latency_ms"], outcome.record["total"]["service_ms"]
    assert latency["mean"] >= service["mean"]
    assert latency["mean"] - service["mean"] == pytest.approx(arrivals["lag_ms"]["mean"], rel=0.05, abs=0.01)


def test_the_server_timing_of_the_embedded_api_fits_into_what_the_client_saw(perfcli: Perfcli) -> None:
    outcome = perfcli(
        *("load", "-u", "1", "--requests", "100", "--warm-up", "none", "--json"),
        ENABLE_PERFORMANCE_MONITORING="true",
    )

    timings = outcome.record["server"]["timings_ms"]
    assert {"parse", "queue", "total"} <= set(timings)
    assert 0 < timings["total"] < outcome.record["total"]["latency_ms"]["mean"] * 1.5
    assert sum(timings[name] for name in ("parse", "queue")) < timings["total"]
