"""The Server-Timing header, read by a grammar of its own."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from perfcli.api.exchange import Exchange
from perfcli.api.server_timing import MAX_HEADER_BYTES, server_timing

_METRIC = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+;dur=[0-9]+\.[0-9]{3}"


def test_phases_stages_and_total_are_shown_in_milliseconds() -> None:
    exchange = Exchange("id", None, started_ns=1_000_000, called_ns=1_500_000, entered_ns=1_512_345)
    exchange.stages_ns = {"features": 3_000_000, "model": 1_250_000}
    assert server_timing(exchange, now_ns=9_000_000) == (
        "parse;dur=0.500, queue;dur=0.012, features;dur=3.000, model;dur=1.250, total;dur=8.000"
    )


def test_a_phase_that_was_not_reached_is_left_out() -> None:
    assert server_timing(Exchange("id", None, started_ns=0), now_ns=2_000_000) == "total;dur=2.000"


@given(st.dictionaries(st.text(max_size=80), st.integers(0, 10**15), max_size=40))
def test_any_stages_give_a_header_within_grammar_and_bound(stages_ns: dict[str, int]) -> None:
    exchange = Exchange("id", None, started_ns=0, called_ns=10, entered_ns=20, stages_ns=stages_ns)
    header = server_timing(exchange, now_ns=10**15)
    assert len(header.encode("ascii")) <= MAX_HEADER_BYTES
    assert re.fullmatch(rf"{_METRIC}(?:, {_METRIC})*", header)
    assert header.endswith("total;dur=1000000000.000")
