"""The Server-Timing header, read by a grammar of its own."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from perfcli.api.exchange import Exchange
from perfcli.api.server_timing import MAX_HEADER_BYTES, server_timing
from perfcli.monitor import PerformanceMonitor

_METRIC = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+;dur=[0-9]+\.[0-9]{3}"


def an_exchange(
    called_ns: int | None = None, entered_ns: int | None = None, stages_ns: dict[str, int] | None = None
) -> Exchange:
    """Return one that has begun a millisecond after zero."""
    exchange = Exchange(PerformanceMonitor(lambda measurement: None), [], None)
    exchange.end()
    exchange.begun_ns, exchange.called_ns, exchange.entered_ns = 1_000_000, called_ns, entered_ns
    exchange.stages_ns = stages_ns or {}
    return exchange


def test_phases_stages_and_total_are_shown_in_milliseconds() -> None:
    exchange = an_exchange(1_500_000, 1_512_345, {"features": 3_000_000, "model": 1_250_000})
    assert server_timing(exchange, now_ns=9_000_000) == (
        "parse;dur=0.500, queue;dur=0.012, features;dur=3.000, model;dur=1.250, total;dur=8.000"
    )


def test_a_phase_that_was_not_reached_is_left_out() -> None:
    assert server_timing(an_exchange(), now_ns=3_000_000) == "total;dur=2.000"


@given(st.dictionaries(st.text(max_size=80), st.integers(0, 10**15), max_size=40))
def test_any_stages_give_a_header_within_grammar_and_bound(stages_ns: dict[str, int]) -> None:
    header = server_timing(an_exchange(1_000_010, 1_000_020, stages_ns), now_ns=10**15 + 10**6)
    assert len(header.encode("ascii")) <= MAX_HEADER_BYTES
    assert re.fullmatch(rf"{_METRIC}(?:, {_METRIC})*", header)
    assert header.endswith("total;dur=1000000000.000")
