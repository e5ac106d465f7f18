"""What the tables of a profile say of figures that could be misread."""

from __future__ import annotations

import io
from dataclasses import replace

from perfcli.records import FunctionTime, ProfileResult, ServerView
from perfcli.reporters.markdown import MarkdownReporter
from perfcli.reporters.table import TableReporter


def shown(result: ProfileResult) -> list[str]:
    stream = io.StringIO()
    TableReporter().write(result, stream)
    return stream.getvalue().splitlines()


def row_of(lines: list[str], first: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f" {first} ")]
    return line.split()


def test_a_function_of_the_server_says_how_many_records_name_it(profile_result: ProfileResult) -> None:
    rare = FunctionTime("rare", "model.py", 7, 3.0, 0.009, 0.009, 0.009, 0.009, 0.45, records=12)
    remote = replace(profile_result, server=ServerView({}, None, 50, (rare,), profiled=40))
    row = row_of(shown(remote), "rare")
    assert [*row[1:5], *row[-2:]] == ["9.00", "ms", "45.0", "%", "3", "12/40"]
    markdown = io.StringIO()
    MarkdownReporter().write(remote, markdown)
    assert "| rare model.py | 9.00 ms | 45.0 % | 9.00 ms | 3 | 12 of 40 |" in markdown.getvalue()
