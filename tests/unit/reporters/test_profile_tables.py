"""What the tables of a profile say of figures that could be misread."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from perfcli.records import FunctionTime, PerformanceMetrics, ProfileResult, ServerView
from perfcli.reporters import View
from perfcli.reporters.html import HtmlReporter
from perfcli.reporters.markdown import MarkdownReporter
from perfcli.reporters.table import TableReporter


def shown(result: ProfileResult, view: View = View()) -> list[str]:  # noqa: B008 - frozen
    stream = io.StringIO()
    TableReporter(view).write(result, stream)
    return stream.getvalue().splitlines()


def row_of(lines: list[str], first: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f" {first} ")]
    return line.split()


def test_a_function_of_the_server_says_how_many_records_name_it(profile_result: ProfileResult) -> None:
    rare = FunctionTime("rare", "model.py", 7, 3.0, 0.009, 0.009, 0.009, 0.009, 0.45, records=12)
    usual = FunctionTime("usual", "model.py", 9, 1.0, 0.001, 0.008, 0.001, 0.008, 0.05, records=40)
    remote = replace(profile_result, server=ServerView({}, None, 50, (rare, usual), profiled=40))
    lines = shown(remote)
    named = [line.split()[0] for line in lines if line.endswith("/40 ")]
    assert named == ["usual", "rare"]
    row = row_of(lines, "rare")
    assert [*row[1:5], *row[-2:]] == ["9.00", "ms", "45.0", "%", "3", "12/40"]
    markdown = io.StringIO()
    MarkdownReporter().write(remote, markdown)
    assert "| rare model.py | 9.00 ms | 45.0 % | 9.00 ms | 3 | 12 of 40 |" in markdown.getvalue()


def test_the_times_of_stages_are_headed_as_those_without_the_stages_inside_them(profile_result: ProfileResult) -> None:
    [heading] = [line for line in shown(profile_result) if line.startswith(" stage ")]
    assert heading.split() == ["stage", "self", "median", "share", "calls"]
    for reporter in (MarkdownReporter(), HtmlReporter()):
        stream = io.StringIO()
        reporter.write(profile_result, stream)
        assert "self median" in stream.getvalue()


def test_functions_of_the_server_are_in_the_order_of_their_column_and_bars_and_rare_ones_last(
    profile_result: ProfileResult,
) -> None:
    figures = {
        "often": (0.008, 40),
        "slow": (0.010, 25),
        "slower": (0.012, 21),
        "once": (0.014, 1),
        "twice": (0.002, 2),
    }
    functions = tuple(
        FunctionTime(name, "model.py", 7, 1.0, 0.001, cumulative_s, 0.001, cumulative_s, 0.05, records=records)
        for name, (cumulative_s, records) in figures.items()
    )
    lines = shown(replace(profile_result, server=ServerView({}, None, 50, functions, profiled=40)))
    rows = [line.split() for line in lines if line.endswith("/40 ")]
    assert [row[0] for row in rows] == ["slower", "slow", "often", "once", "twice"]
    # The bar stands beside the cumulative time, of which 14 ms is the longest.
    assert [len(row[7]) for row in rows] == [5, 4, 3, 6, 1]


@pytest.mark.parametrize(("sort", "bars"), [("self", ["███", "██████"]), ("cumulative", ["██████", "██"])])
def test_the_bar_is_of_what_the_functions_are_sorted_by(
    profile_result: ProfileResult, sort: str, bars: list[str]
) -> None:
    functions = (
        FunctionTime("outer", "m.py", 1, 1.0, 0.001, 0.009, 0.001, 0.009, 0.1),
        FunctionTime("inner", "m.py", 9, 1.0, 0.002, 0.003, 0.002, 0.003, 0.2),
    )
    lines = shown(replace(profile_result, functions=functions), View(sort=sort))
    (header,) = [line for line in lines if line.startswith(" function ")]
    rows = [next(line for line in lines if line.startswith(f" {name} ")) for name in ("outer", "inner")]
    assert ["".join(sign for sign in row if sign == "█") for row in rows] == bars
    after = header.index(sort) if sort == "cumulative" else header.index("share")
    assert all(row.index("█") > after for row in rows)


@pytest.mark.parametrize("corrected", [True, False])
def test_the_last_line_says_whether_its_function_times_are_freed_of_the_profiler(
    profile_result: ProfileResult, corrected: bool
) -> None:
    overhead = replace(profile_result.overhead, corrected=corrected)
    stream = io.StringIO()
    TableReporter().write(replace(profile_result, overhead=overhead), stream)
    metrics = json.loads(stream.getvalue().splitlines()[-1])["performance_metrics"]
    assert metrics["functions_corrected"] is corrected
    assert "measured_by" not in metrics


OF_THE_SERVER = PerformanceMetrics(0.003, 0.002, 2**28, None, None, 0.004, None)


@pytest.mark.parametrize(("metrics", "side"), [(None, "client"), (OF_THE_SERVER, "server")])
def test_cpu_time_and_memory_of_a_client_are_not_shown_as_those_of_the_api(
    profile_result: ProfileResult, metrics: PerformanceMetrics | None, side: str
) -> None:
    target = replace(profile_result.target, kind="remote")
    remote = replace(profile_result, target=target, server=ServerView({"total": 0.004}, metrics, 1, ()))
    lines = shown(remote)
    names = [line[:17].strip() for line in lines[2:9]]
    assert names == ["median", "calls", "spread", "client CPU", "client memory", "cold", ""]
    assert json.loads(lines[-1])["performance_metrics"]["measured_by"] == side
    markdown = io.StringIO()
    MarkdownReporter().write(remote, markdown)
    assert "| client CPU time, thread |" in markdown.getvalue()
    assert "| client peak memory of one call |" in markdown.getvalue()
