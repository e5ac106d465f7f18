from __future__ import annotations

import json
from dataclasses import fields, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from perfcli.records.codec import decode, encode
from perfcli.records.environment import Environment
from perfcli.records.latency_counts import count_latencies
from perfcli.records.load import (
    Arrivals,
    CountCheck,
    EndpointResult,
    ErrorCount,
    GeneratorReport,
    LoadDescription,
    LoadedServer,
    LoadResult,
    LoadSecond,
    Quantiles,
    Window,
)
from perfcli.records.load_codec import decode_second, encode_second
from perfcli.records.profile import Advice

# Whole nanoseconds: milliseconds are written with six decimals.
DURATION_S = st.none() | st.integers(0, 10**12).map(lambda ns: ns / 1e9)
RATIO = st.floats(0, 8)
COUNT = st.integers(0, 10**9)
TEXT = st.text(max_size=8)
QUANTILES = st.builds(Quantiles, *[DURATION_S] * len(fields(Quantiles)))
ENVIRONMENT = Environment("0.1.0", "3.11.7", "Linux", None, 2, 2**30, 0.5)


def endpoints(elapsed_s: float) -> st.SearchStrategy[EndpointResult]:
    return st.builds(
        EndpointResult, COUNT, COUNT, st.just(elapsed_s), QUANTILES, QUANTILES, QUANTILES, TEXT, DURATION_S
    )


SECONDS = st.builds(
    LoadSecond,
    start_s=st.floats(0, 1e5),
    elapsed_s=st.floats(0, 2),
    measured=st.booleans(),
    requests=COUNT,
    failures=COUNT,
    latency=QUANTILES,
    in_flight=COUNT,
    users=st.none() | COUNT,
    scheduled=st.none() | COUNT,
    lag_p99_s=DURATION_S,
    generator_cpu_ratio=st.none() | RATIO,
    generator_rss_bytes=st.none() | COUNT,
    machine_cpu_ratio=st.none() | RATIO,
    server_cpu_ratio=st.none() | RATIO,
    server_rss_bytes=st.none() | COUNT,
    server_threads=st.none() | COUNT,
    latency_counts=st.dictionaries(st.integers(0, 10**12), st.integers(1, 10**6), max_size=5).map(count_latencies),
    failure_kinds=st.dictionaries(TEXT, COUNT, max_size=3),
    mean_in_flight=st.none() | RATIO,
)
SERVERS = st.builds(
    LoadedServer,
    st.none() | COUNT,
    st.none() | RATIO,
    st.none() | RATIO,
    st.none() | COUNT,
    st.none() | COUNT,
    st.dictionaries(TEXT, st.integers(0, 10**12).map(lambda ns: ns / 1e9), max_size=2),
    st.none() | st.builds(CountCheck, TEXT, COUNT, COUNT),
)


@st.composite
def results(draw: st.DrawFn) -> LoadResult:
    elapsed_s = draw(st.just(0.0) | st.floats(0.1, 1e5))
    return LoadResult(
        description=draw(
            st.builds(
                LoadDescription,
                TEXT,
                TEXT,
                COUNT,
                COUNT,
                st.none() | TEXT,
                st.none() | COUNT,
                st.none() | RATIO,
                st.sampled_from([None, "constant", "poisson"]),
                st.none() | TEXT,
                st.none() | RATIO,
                st.none() | COUNT,
                COUNT,
            )
        ),
        environment=ENVIRONMENT,
        started_at="2026-01-01T00:00:00+00:00",
        loop=draw(st.sampled_from(["closed", "open"])),
        window=Window(elapsed_s, draw(RATIO), draw(st.sampled_from([None, True, False]))),
        total=draw(endpoints(elapsed_s)),
        endpoints=draw(st.dictionaries(TEXT, endpoints(elapsed_s), max_size=3)),
        arrivals=draw(st.none() | st.builds(Arrivals, COUNT, COUNT, COUNT, COUNT, QUANTILES)),
        errors=tuple(draw(st.lists(st.builds(ErrorCount, TEXT, COUNT, TEXT), max_size=2))),
        generator=GeneratorReport(
            draw(st.sampled_from(["trustworthy", "generator-bound"])),
            tuple(draw(st.lists(TEXT, max_size=2))),
            draw(st.none() | RATIO),
            draw(DURATION_S),
            draw(st.none() | RATIO),
            draw(COUNT),
        ),
        server=draw(st.none() | SERVERS),
        diagnosis=draw(st.none() | TEXT),
        seconds=tuple(draw(st.lists(SECONDS, max_size=3))),
        warnings=tuple(draw(st.lists(st.builds(Advice, TEXT, TEXT, TEXT), max_size=2))),
        partial=draw(st.booleans()),
    )


@settings(max_examples=60)
@given(results())
def test_a_result_comes_back_from_its_json_as_it_was(result: LoadResult) -> None:
    back = decode(json.loads(json.dumps(encode(result), allow_nan=False)))

    assert isinstance(back, LoadResult)
    assert encode(back) == encode(result)
    assert back.window == result.window
    assert (back.errors, back.warnings, back.description) == (result.errors, result.warnings, result.description)


@given(SECONDS)
def test_a_second_of_an_older_record_still_reads(second: LoadSecond) -> None:
    earlier = encode_second(second)
    del earlier["latency_counts"], earlier["failure_kinds"], earlier["mean_in_flight"]

    assert decode_second(earlier) == replace(
        decode_second(encode_second(second)), latency_counts=None, failure_kinds={}, mean_in_flight=None
    )


def quantiles(value_s: float | None) -> Quantiles:
    return Quantiles(*[value_s] * 7)


def test_the_record_has_the_keys_that_are_promised() -> None:
    endpoint = EndpointResult(300, 30, 10.0, quantiles(0.0042), quantiles(0.004), quantiles(None), "HISTFAAAA", 0.0041)
    result = LoadResult(
        description=LoadDescription("http://h/p", "predict.py", 1, 1, "d", None, 30.0, "constant", None, 10.0, None, 0),
        environment=ENVIRONMENT,
        started_at="2026-01-01T00:00:00+00:00",
        loop="open",
        window=Window(10.0, 2.0, True),
        total=endpoint,
        endpoints={"/p": endpoint},
        arrivals=Arrivals(300, 300, 1, 0, quantiles(0.0001)),
        errors=(ErrorCount("http_5xx", 30, "503"),),
        generator=GeneratorReport("trustworthy", (), 0.25, 0.00005, 20_000.0, 1),
        server=None,
        diagnosis=None,
        seconds=(),
        warnings=(),
        partial=False,
    )

    document = encode(result)

    latency = dict.fromkeys(("p50", "p90", "p95", "p99", "p99_9", "max", "mean"), 4.2)
    total = {
        "requests": 300,
        "failures": 30,
        "throughput_rps": 30.0,
        "success_rps": 27.0,
        "error_ratio": 0.1,
        "latency_ms": latency,
        "service_ms": dict.fromkeys(latency, 4.0),
        "failure_latency_ms": dict.fromkeys(latency),
        "histogram": "HISTFAAAA",
        "mean_time_ms": 4.1,
    }
    assert document["schema"] == "perfcli/load/1"
    assert document["loop"] == "open"
    assert document["window"] == {"elapsed_s": 10.0, "warm_up_s": 2.0, "stable": True}
    assert document["total"] == total
    assert document["endpoints"] == {"/p": total}
    assert document["arrivals"] == {
        "scheduled": 300,
        "sent": 300,
        "late": 1,
        "dropped": 0,
        "lag_ms": dict.fromkeys(latency, 0.1),
        "further": 0,
        "silent": 0,
        "measured_scheduled": None,
        "measured_dropped": None,
    }
    assert document["errors"] == [{"kind": "http_5xx", "count": 30, "example": "503"}]
    assert document["generator"] == {
        "verdict": "trustworthy",
        "reasons": [],
        "cpu_ratio": 0.25,
        "floor_ms": 0.05,
        "ceiling_rps": 20_000.0,
        "processes": 1,
    }
    del total["mean_time_ms"]
    older = decode({**document, "total": total})
    assert isinstance(older, LoadResult)
    assert older.total == replace(endpoint, mean_time_s=None)
    assert (document["server"], document["seconds"], document["warnings"], document["partial"]) == (None, [], [], False)
