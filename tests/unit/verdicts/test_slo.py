from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.errors import UsageError
from perfcli.verdicts.slo import METRICS, Slo, parse_slo


@pytest.mark.parametrize(
    ("text", "slo"),
    [
        ("p99 < 50ms", ("p99", 0.99, None, None, "<", 0.05, "s", False)),
        ("p99.9<=1s", ("p99.9", 0.999, None, None, "<=", 1.0, "s", False)),
        ("median<0.4ms abort", ("median", 0.5, None, None, "<", 0.0004, "s", True)),
        ("max < 2 m", ("max", None, None, None, "<", 120.0, "s", False)),
        ("mean<500us", ("mean", None, None, None, "<", 0.0005, "s", False)),
        ("/predict:p95<20ms", ("p95", 0.95, None, "/predict", "<", 0.02, "s", False)),
        ("http://a:8000/x : p50 < 1ms", ("p50", 0.5, None, "http://a:8000/x", "<", 0.001, "s", False)),
        ("throughput >= 200/s", ("throughput", None, None, None, ">=", 200.0, "per_s", False)),
        ("goodput(50ms) >= 190.5/s", ("goodput", None, 0.05, None, ">=", 190.5, "per_s", False)),
        ("error_rate < 0.1% abort", ("error_rate", None, None, None, "<", 0.001, "ratio", True)),
        ("success_rate == 100%", ("success_rate", None, None, None, "==", 1.0, "ratio", False)),
        ("dropped == 0", ("dropped", None, None, None, "==", 0.0, "count", False)),
        ("dropped <= 5 abort", ("dropped", None, None, None, "<=", 5.0, "count", True)),
        ("late < 1%", ("late", None, None, None, "<", 0.01, "ratio", False)),
        ("cpu < 20ms", ("cpu", None, None, None, "<", 0.02, "s", False)),
        ("cpu < 150%", ("cpu", None, None, None, "<", 1.5, "ratio", False)),
        ("rss < 300MiB", ("rss", None, None, None, "<", 300 * 2**20, "bytes", False)),
        ("peak_memory <= 1.5 GB", ("peak_memory", None, None, None, "<=", 1.5e9, "bytes", False)),
    ],
)
def test_slo_is_read_as_it_is_meant(text: str, slo: tuple[object, ...]) -> None:
    metric, quantile, within_s, endpoint, operator, limit, unit, aborts = slo
    found = parse_slo(f"  {text} ")
    expected = Slo(text, metric, quantile, within_s, endpoint, operator, pytest.approx(limit), unit, aborts)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("", 1, "a metric is missing"),
        ("< 5ms", 1, "a metric is missing"),
        ("q99 < 5ms", 1, "unknown metric 'q99'"),
        ("trough < 5/s", 1, "unknown metric 'trough'"),
        ("p100 < 5ms", 1, "p100 is no percentile"),
        ("p0 < 5ms", 1, "p0 is no percentile"),
        ("p99 50ms", 5, "a comparison is missing"),
        ("p99 =< 50ms", 5, "a comparison is missing"),
        ("p99 < ", 7, "a number that is not negative is missing"),
        ("p99 < nan", 7, "a number that is not negative is missing"),
        ("p99 < inf", 7, "a number that is not negative is missing"),
        ("p99 < -5ms", 7, "a number that is not negative is missing"),
        ("p99 < 50", 9, "the unit of p99 is missing"),
        ("p99 < 50 abort", 10, "the unit of p99 is missing"),
        ("p99 < 50%", 9, "'%' is no unit of p99"),
        ("p99 < 50MiB", 9, "'MiB' is no unit of p99"),
        ("p99 < 1e3ms", 8, "'e' is no unit of p99"),
        ("error_rate < 0.01", 18, "the unit of error_rate is missing"),
        ("throughput > 5rps", 15, "'rps' is no unit of throughput"),
        ("dropped == 0/s", 13, "'/s' is no unit of dropped"),
        ("rss < 5ms", 8, "'ms' is no unit of rss"),
        ("p99 < 5ms abrt", 11, "'abrt' is not expected"),
        ("p99 < 5ms abort abort", 11, "'abort abort' is not expected"),
        ("mean < 5ms abort", 12, "mean is known only at the end"),
        ("goodput(50) > 5/s", 8, "goodput needs a time"),
        ("goodput() > 5/s", 8, "goodput needs a time"),
        ("goodput > 5/s", 8, "goodput needs a time"),
        ("goodput(5MB) > 5/s", 8, "goodput needs a time"),
        ("p99(50ms) < 5ms", 4, "p99 takes nothing in brackets"),
        (": p99 < 5ms", 1, "the name of an endpoint is missing"),
        ("/predict: q99 < 5ms", 11, "unknown metric 'q99'"),
    ],
)
def test_wrong_slo_is_refused_with_the_column_marked(text: str, column: int, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_slo(text)
    message, line, mark = caught.value.message.split("\n")
    assert f"column {column}: {what}" in message
    assert line == f"  {text}"
    assert mark.index("^") == column + 1
    assert caught.value.hint


def test_misspelled_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        parse_slo("throughputs > 5/s")
    assert caught.value.hint == "Did you mean throughput?"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("rps > 1/s", "throughput"),
        ("QPS > 1/s", "throughput"),
        ("latency < 1s", "p50 or p99"),
        ("errors < 1%", "error_rate"),
        ("memory < 1GiB", "rss or peak_memory"),
        ("avg < 1s", "mean"),
    ],
)
def test_what_others_call_a_metric_is_answered_with_its_name_here(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_slo(text)
    assert caught.value.hint == f"Did you mean {meant}?"


@given(st.text(max_size=30))
def test_text_that_is_no_slo_is_refused_in_three_lines(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_slo("§" + text)
    assert caught.value.message.count("\n") == 2


@given(st.floats(0.001, 99.999), st.floats(0, 1e6))
def test_percentile_and_limit_are_those_written(percent: float, milliseconds: float) -> None:
    slo = parse_slo(f"p{percent:.3f} < {milliseconds:.6f}ms")
    assert slo.quantile == pytest.approx(float(f"{percent:.3f}") / 100, abs=1e-12)
    assert slo.limit == pytest.approx(float(f"{milliseconds:.6f}") / 1000)


@pytest.mark.parametrize(
    ("operator", "below", "at", "above"),
    [
        ("<", True, False, False),
        ("<=", True, True, False),
        (">", False, False, True),
        (">=", False, True, True),
        ("==", False, True, False),
    ],
)
def test_operators_compare_the_measurement_with_the_limit(operator: str, below: bool, at: bool, above: bool) -> None:
    slo = parse_slo(f"p50 {operator} 2s")
    assert (slo.holds(1.9), slo.holds(2.0), slo.holds(2.1)) == (below, at, above)


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_metric_of_the_table_can_be_written(metric: str) -> None:
    written = {"s": "5ms", "per_s": "5/s", "ratio": "5%", "bytes": "5MiB", "count": "5"}
    name = "goodput(1ms)" if metric == "goodput" else metric
    for unit in METRICS[metric]:
        assert parse_slo(f"{name} < {written[unit]}").unit == unit


def test_bytes_that_are_no_text_are_refused_where_they_are() -> None:
    with pytest.raises(UsageError, match="column 5: this is no UTF-8"):
        parse_slo(b"/caf\xe9: p50 < 1s".decode("utf-8", "surrogateescape"))
