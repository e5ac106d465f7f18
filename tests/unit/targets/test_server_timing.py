"""The Server-Timing grammar of the W3C, and what survives of a header that breaks it."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.targets.server_timing import ServerTiming, parse_server_timing, server_timings

TOKEN = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126))
SPACE = st.text(" \t", max_size=2)
METRIC = st.builds(ServerTiming, TOKEN, st.none() | st.decimals(0, 10**9, places=3).map(float))


def timing(name: str, duration_ms: float | None = None) -> ServerTiming:
    return ServerTiming(name, duration_ms)


@pytest.mark.parametrize(
    ("header", "metrics"),
    [
        ("", []),
        ("miss", [timing("miss")]),
        ("db;dur=53", [timing("db", 53.0)]),
        ("db;dur=53.2, app;dur=47", [timing("db", 53.2), timing("app", 47.0)]),
        ('cache;desc="Cache Read";dur=23.2', [timing("cache", 23.2)]),
        ("cache;desc=hit", [timing("cache")]),
        (" db \t; DUR = .5 ,\tapp ; dur=1. ", [timing("db", 0.5), timing("app", 1.0)]),
        ('a;desc="x, y; z=1";dur=1,b', [timing("a", 1.0), timing("b")]),
        (r'a;desc="say \"hi, b\" \\o/";dur=1', [timing("a", 1.0)]),
        ('a;dur="12.5"', [timing("a", 12.5)]),
        ("a;dur=1;dur=2;desc=x;desc=y", [timing("a", 1.0)]),
        ("a;unknown=1;dur=2", [timing("a", 2.0)]),
        ("a, a;dur=1", [timing("a"), timing("a", 1.0)]),
    ],
)
def test_what_the_grammar_allows(header: str, metrics: list[ServerTiming]) -> None:
    assert parse_server_timing(header) == metrics


@pytest.mark.parametrize(
    ("header", "metrics"),
    [
        (",,db;dur=1,,", [timing("db", 1.0)]),
        ("total time;dur=9, db;dur=1", [timing("db", 1.0)]),
        ("t(x);dur=9, db;dur=1", [timing("db", 1.0)]),
        (";dur=9, db;dur=1", [timing("db", 1.0)]),
        ("; total, db;dur=1", [timing("db", 1.0)]),
        ("db;;dur=1;", [timing("db", 1.0)]),
        ("db;dur", [timing("db")]),
        ("db;dur=", [timing("db")]),
        ("db;dur=1ms", [timing("db")]),
        ("db;dur=-1", [timing("db")]),
        ("db;dur=1e3", [timing("db")]),
        ("db;dur=nan, x;dur=inf", [timing("db"), timing("x")]),
        ("db;dur=1 2", [timing("db")]),
        ("db;dur=٣", [timing("db")]),
        (f"db;dur={'9' * 400}", [timing("db")]),
        ("db;dur=1;desc=two words", [timing("db", 1.0)]),
        ('db;dur=1;desc="x"y', [timing("db", 1.0)]),
        ('db;dur=1;desc="open, app;dur=2', [timing("db", 1.0)]),
        ('db;dur=1;desc="open\\', [timing("db", 1.0)]),
        ('"db";dur=9, app;dur=2', [timing("app", 2.0)]),
        ("db;dur=1\n, app;dur=2", [timing("db"), timing("app", 2.0)]),
    ],
)
def test_what_breaks_the_grammar_is_left_out(header: str, metrics: list[ServerTiming]) -> None:
    assert parse_server_timing(header) == metrics


@given(st.text() | st.text('ab01;,="\\ .\t\n'))
def test_no_header_can_make_it_fail_or_invent(header: str) -> None:
    for metric in parse_server_timing(header):
        assert metric.name in header
        assert re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", metric.name)
        assert metric.duration_ms is None or 0 <= metric.duration_ms < float("inf")


@given(st.lists(st.tuples(METRIC, TEXT), max_size=5), SPACE)
def test_what_is_written_by_the_grammar_is_read_back(described: list[tuple[ServerTiming, str]], space: str) -> None:
    def written(metric: ServerTiming, description: str) -> str:
        parts = [metric.name]
        if metric.duration_ms is not None:
            parts.append(f"dur={metric.duration_ms:.3f}")
        if description:
            parts.append('desc="' + re.sub(r'(["\\])', r"\\\1", description) + '"')
        return f"{space};{space}".join(parts)

    header = f"{space},{space}".join(written(*each) for each in described)
    assert parse_server_timing(header) == [metric for metric, _ in described]


def test_a_long_hostile_header_is_read_in_time() -> None:
    for header in ('a;desc="' + "\\" * 65535, '"' * 65535, 'a"' * 32768, ";" * 65535, 'x;d="' + 'a"' * 30000):
        parse_server_timing(header)


def test_timings_are_medians_in_seconds_over_the_answers_that_have_them() -> None:
    answers = [["db;dur=1, app;dur=10"], ["app;dur=30", "db;dur=3, db;dur=4"], ["db;dur=5, miss"]]
    timings = server_timings(answers)
    assert list(timings.items()) == [("db", 0.005), ("app", 0.020)]
    assert server_timings([]) == {}
