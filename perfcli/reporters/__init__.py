"""Show a result to a reader. A reporter computes nothing: all it shows is in the record.

`REPORTERS` is the only list of formats; `-o` and the error texts derive from its keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from perfcli.reporters.html import HtmlReporter
from perfcli.reporters.json import JsonReporter
from perfcli.reporters.junit import JunitReporter
from perfcli.reporters.markdown import MarkdownReporter
from perfcli.reporters.protocol import Reporter, View
from perfcli.reporters.stacks import CollapsedReporter, write_speedscope
from perfcli.reporters.table import TableReporter

REPORTERS: Mapping[str, Reporter] = {
    reporter.suffix: reporter
    for reporter in (
        JsonReporter(),
        TableReporter(),
        MarkdownReporter(),
        JunitReporter(),
        HtmlReporter(),
        CollapsedReporter(".collapsed"),
        CollapsedReporter(".folded"),
    )
}
"""By suffix of the file; `.txt` is what a terminal shows."""

__all__ = ["REPORTERS", "Reporter", "TableReporter", "View", "write_speedscope"]
