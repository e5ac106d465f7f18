"""Verdicts as JUnit XML, one test case each, for pipelines that show test results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TextIO
from xml.sax.saxutils import escape, quoteattr

from perfcli.records import ProfileResult
from perfcli.records.capacity import CapacityResult
from perfcli.records.codec import Result
from perfcli.records.comparison import Comparison
from perfcli.records.load import LoadResult
from perfcli.records.sweep import SweepResult
from perfcli.units import format_change, format_ratio

# XML 1.0 has no way to write the other control characters, not even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MEASURED = "measured"


class _Case(NamedTuple):
    name: str
    outcome: str
    reason: str


class JunitReporter:
    """Writes JUnit XML; what is inconclusive is an error, because the test could not tell.

    All cases judge one run, so that the time of each is how long that was measured.

    A run that nothing judges has one case, that it was measured: pipelines take a suite without cases for a mistake, or
    worse, for a success. A run that was interrupted has this case too, as an error.
    """

    def write(self, result: Result, stream: TextIO) -> None:
        """Write one test suite."""
        suite = f"perfcli.{type(result).__name__.removesuffix('Result').lower()}"
        cases = list(_cases(result))
        failures = sum(case.outcome == "fail" for case in cases)
        errors = sum(case.outcome == "inconclusive" for case in cases)
        seconds = f"{_measured_s(result):.3f}"
        stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n')
        stream.write(
            f'  <testsuite name="{suite}" tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="0"'
            f' time="{seconds}">\n'
        )
        for case in cases:
            stream.write(f'    <testcase classname="{suite}" name={_attribute(case.name)} time="{seconds}"')
            if case.outcome == "pass":
                stream.write("/>\n")
                continue
            element = "failure" if case.outcome == "fail" else "error"
            stream.write(f'>\n      <{element} type="{case.outcome}" message={_attribute(case.reason)}>')
            stream.write(f"{_text(case.reason)}</{element}>\n    </testcase>\n")
        stream.write("  </testsuite>\n</testsuites>\n")


def _cases(result: Result) -> Iterator[_Case]:
    verdicts = list(_verdicts(result))
    if result.partial:
        yield _Case(_MEASURED, "inconclusive", "the run was interrupted")
    elif not verdicts:
        missing = _nothing_measured(result)
        yield _Case(_MEASURED, "inconclusive" if missing else "pass", missing)
    yield from verdicts


def _measured_s(result: Result) -> float:
    """Return how long was measured for the result; 0 for a comparison of two records, which measures nothing."""
    match result:
        case ProfileResult():
            return result.measured_s
        case LoadResult():
            return result.window.warm_up_s + result.window.elapsed_s
        case CapacityResult():
            settings = result.settings or (result,)
            return sum(probe.elapsed_s for setting in settings for probe in setting.probes)
        case SweepResult():
            return sum(point.median_s * point.runs for point in result.points)
        case Comparison():
            return sum(sum(turn.base_s) + sum(turn.new_s) for turn in result.turns)


def _nothing_measured(result: Result) -> str:
    """Say why a run that nothing judges is no success; empty when it is one."""
    match result:
        case ProfileResult():
            return "" if result.samples_s else "no call was measured"
        case LoadResult():
            return "" if result.total.successes else "no request succeeded"
        case SweepResult():
            return "" if result.points else "no batch was measured"
        case _:
            return ""


def _verdicts(result: Result) -> Iterator[_Case]:
    if isinstance(result, ProfileResult | LoadResult):
        yield from (_Case(verdict.slo, verdict.outcome, verdict.reason) for verdict in result.verdicts)
    elif isinstance(result, Comparison):
        outcomes = {"slower": "fail", "inconclusive": "inconclusive"}
        for metric in result.metrics:
            change = f"{metric.change}: {format_change(metric.ratio)}"
            interval = f"interval {format_change(metric.ci_low)} to {format_change(metric.ci_high)}"
            name = f"{metric.metric} is not slower by {format_ratio(result.min_effect)}"
            yield _Case(name, outcomes.get(metric.change, "pass"), f"{change}, {interval}")
        if result.failures is not None:
            shares = f"{format_ratio(result.failures.base_ratio)} to {format_ratio(result.failures.new_ratio)}"
            outcome = {"more": "fail", "not more": "pass"}.get(result.failures.change, "inconclusive")
            yield _Case("requests do not fail more often", outcome, f"{result.failures.change}: {shares}")
    elif isinstance(result, CapacityResult):
        outcomes = {"found": "pass", "below": "fail"}
        yield _Case(f"capacity: {'; '.join(result.slos)}", outcomes.get(result.outcome, "inconclusive"), result.reason)


def _text(text: str) -> str:
    # A parser would make a line break of a carriage return that is written as it is.
    return escape(_writable(text), {"\r": "&#13;"})


def _attribute(text: str) -> str:
    return quoteattr(_writable(text))


def _writable(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
