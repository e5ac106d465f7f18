"""What pipelines read of a verdict, to the letter: JUnit, Markdown, and the workflow commands of GitHub."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import xmlschema

from perfcli.records import Environment, SloVerdict
from perfcli.records.capacity import CapacityResult, Probe, WorkerSetting
from perfcli.records.codec import Result
from perfcli.records.comparison import ComparedRun, Comparison, MetricChange, Movement
from perfcli.records.load import LoadResult
from perfcli.records.sweep import SweepPoint, SweepResult
from perfcli.reporters import REPORTERS
from perfcli.reporters.github import workflow_commands
from perfcli.reporters.json import read_result
from perfcli.verdicts.evaluate import evaluate
from perfcli.verdicts.slo import parse_slo

HERE = Path(__file__).parent
MACHINE = Environment("1.0", "3.11.7", "Linux", None, 2, 8 * 2**30, None)
MOMENT = "2026-01-02T03:04:05.678+00:00"
COMMENT_LIMIT = 65_536
"""GitHub refuses a comment of more characters."""

Check = Callable[[str, Path], None]


def judged(run: str, *slos: str) -> Result:
    result = read_result(HERE / f"{run}.json")
    return replace(result, verdicts=evaluate(result, [parse_slo(slo) for slo in slos]))  # type: ignore[arg-type,type-var]


def hostile() -> Result:
    """Verdicts whose texts try to end an element, an attribute, a table cell, a command, and to begin another."""
    texts = (
        "/a|b: p99 < 50ms",
        '/q?x="1"&y=<z>]]><!-- : max < 1s',
        "/line\r\n::error::injected\r\n: p50 < 1s",
        "/100%0A::warning::injected: error_rate < 1%",
        "/\x00\x1b[31m: p50 < 1s",
    )
    reason = "p99 is 10.0 ms, `code` *bold* [link](x) <b>\n::set-output name=a::b\r\n# Heading\n%0A\x07"
    verdicts = [
        SloVerdict(text, "p99", None, "<", 0.05, 0.0625, "s", -0.25, 500, 459, outcome, reason)
        for text, outcome in zip(texts, ("fail", "inconclusive", "fail", "fail", "fail"), strict=True)
    ]
    return replace(read_result(HERE / "load.json"), verdicts=tuple(verdicts))  # type: ignore[arg-type,type-var]


def compared() -> Comparison:
    runs = (
        ComparedRun("models:model", "profile", "base.json", MOMENT, "0123456789abcdef", 500, 480),
        ComparedRun("models:model", "profile", "new.json", MOMENT, None, 500, 470),
    )
    metrics = (
        MetricChange("median", 0.010, 0.012, 1.2, 1.18, 1.22, 0.0001, "slower", None),
        MetricChange("p95", 0.020, 0.0202, 1.01, 0.99, 1.03, 0.4, "same", None),
        MetricChange("p99", 0.030, 0.032, 1.07, 0.96, 1.19, 0.2, "inconclusive", 900),
    )
    moved = (Movement("stage", "scaler", 0.001, 0.003), Movement("function", "<lambda>|b", 0.004, 0.0039))
    return Comparison(*runs, (), 0.05, 0.95, metrics, "slower", moved, (), (), partial=False)


def searched() -> CapacityResult:
    probes = (
        Probe(50.0, "holds", "", 4.0, 49.6, 0.0, 0.020, 0.024, 0.031, 1.0, 1.01, ()),
        Probe(100.0, "fails", "p99 < 50ms: p99 is 118 ms", 2.0, 91.0, 0.0, 0.071, 0.110, 0.118, 9.4, 1.04, ()),
    )
    one = WorkerSetting(1, probes, 95.0, 98.0, "found", "", 95.0)
    why = "at 100/s the generator could not keep up: it was busy; 50.0/s held"
    two = WorkerSetting(2, probes[:1], None, None, "generator-bound", why, 50.0)
    return CapacityResult(
        "http://127.0.0.1:8000/predict", "rate", ("p99 < 50ms", "error_rate < 1%"), MACHINE, MOMENT, one.probes,
        95.0, 98.0, None, two.outcome, f"2 workers: {why}", (), partial=False, workers=1, settings=(one, two),
        held=95.0,
    )  # fmt: skip


RESULTS: dict[str, Callable[[], Result]] = {
    "profile": lambda: judged("profile", "p50 < 1s", "max < 1us", "p99.9 < 1s", "peak_memory < 1GiB"),
    "load": lambda: judged(
        "load", "p99 < 1s", "error_rate < 1%", "/predict: p50 < 1ms", "/x: p50 < 1s", "dropped == 0"
    ),
    "hostile": hostile,
    "comparison": compared,
    "capacity": searched,
}
EVERY_RESULT = pytest.mark.parametrize("name", RESULTS)


def written(suffix: str, result: Result) -> str:
    stream = io.StringIO()
    REPORTERS[suffix].write(result, stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(HERE / "junit.xsd")


@EVERY_RESULT
def test_junit_is_as_it_was(name: str, check: Check) -> None:
    check(written(".xml", RESULTS[name]()), HERE / f"verdicts-{name}.xml")


@EVERY_RESULT
def test_markdown_is_as_it_was(name: str, check: Check) -> None:
    check(written(".md", RESULTS[name]()), HERE / f"verdicts-{name}.md")


@EVERY_RESULT
def test_workflow_commands_are_as_they_were(name: str, check: Check) -> None:
    lines = workflow_commands(RESULTS[name](), failed=name == "comparison")
    check("".join(f"{line}\n" for line in lines), HERE / f"verdicts-{name}.commands")


@EVERY_RESULT
def test_junit_is_valid_and_its_counts_are_those_of_its_cases(name: str, junit_schema: xmlschema.XMLSchema) -> None:
    text = written(".xml", RESULTS[name]())
    junit_schema.validate(text)
    (suite,) = ET.fromstring(text)
    counts = [int(suite.attrib[key]) for key in ("tests", "failures", "errors")]
    assert counts == [len(suite), len(list(suite.iter("failure"))), len(list(suite.iter("error")))]
    assert counts[0] > 0


def swept(*points: SweepPoint, partial: bool = False) -> SweepResult:
    target = read_result(HERE / "profile.json").target  # type: ignore[union-attr]
    return SweepResult(target, MACHINE, MOMENT, points, None, None, None, None, (), partial=partial)


def unanswered() -> LoadResult:
    result = read_result(HERE / "load.json")
    assert isinstance(result, LoadResult)
    return replace(result, total=replace(result.total, failures=result.total.requests))


@pytest.mark.parametrize(
    ("make", "cases"),
    [
        (lambda: judged("profile"), [("measured", None)]),
        (lambda: judged("load"), [("measured", None)]),
        (lambda: swept(SweepPoint(1, None, 0.003, None, None, 3)), [("measured", None)]),
        (lambda: replace(judged("profile"), samples_s=()), [("measured", "no call was measured")]),
        (unanswered, [("measured", "no request succeeded")]),
        (swept, [("measured", "no batch was measured")]),
        (
            lambda: replace(judged("profile", "p50 < 1s"), partial=True),
            [("measured", "the run was interrupted"), ("p50 < 1s", None)],
        ),
    ],
)
def test_junit_of_a_run_without_slos_or_an_end_says_whether_it_was_measured(
    make: Callable[[], Result], cases: list[tuple[str, str | None]], junit_schema: xmlschema.XMLSchema
) -> None:
    text = written(".xml", make())
    junit_schema.validate(text)
    (suite,) = ET.fromstring(text)
    found = [(case.attrib["name"], error.text if (error := case.find("error")) is not None else None) for case in suite]
    assert found == cases
    assert suite.attrib["tests"] == str(len(cases))


@pytest.mark.parametrize(
    "broken",
    [
        '<testsuites><testsuite name="a" tests="0" failures="0" errors="0"><testcase/></testsuite></testsuites>',
        '<testsuites><testsuite name="a" tests="one" failures="0" errors="0"/></testsuites>',
        '<testsuites><testsuite tests="0" failures="0" errors="0"/></testsuites>',
        "<testsuites/>",
    ],
)
def test_the_schema_tells_what_is_not_junit(broken: str, junit_schema: xmlschema.XMLSchema) -> None:
    assert not junit_schema.is_valid(broken)


def test_a_command_is_one_line_and_no_text_becomes_a_second_one() -> None:
    lines = list(workflow_commands(hostile()))
    assert len(lines) == 5
    assert all(len(line.splitlines()) == 1 for line in lines)
    assert [line.partition(" title=perfcli::")[0] for line in lines] == ["::error", "::warning"] + ["::error"] * 3
    assert "/line%0D%0A::error::injected%0D%0A: p50 < 1s" in lines[2]
    # A text that is escaped already stays what it is, and does not become a line break.
    assert "/100%250A::warning::injected: error_rate < 1%25" in lines[3]


def many_endpoints(names: Sequence[str]) -> LoadResult:
    result = read_result(HERE / "load.json")
    assert isinstance(result, LoadResult)
    (part,) = result.endpoints.values()
    result = replace(result, endpoints=dict.fromkeys(names, part))
    return replace(result, verdicts=evaluate(result, [parse_slo(f"{name}: p50 < 1ms") for name in names]))


def test_markdown_of_ten_thousand_endpoints_is_as_it_was_and_fits_a_comment(check: Check) -> None:
    text = written(".md", many_endpoints([f"/model/{number}" for number in range(10_000)]))
    check(text, HERE / "verdicts-ten-thousand-endpoints.md")
    assert len(text) < COMMENT_LIMIT
    assert sum(line.startswith("| /model/") for line in text.splitlines()) == 100


def test_markdown_of_ten_thousand_endpoints_with_long_names_fits_a_comment() -> None:
    text = written(".md", many_endpoints([f"/{number:05}/{'|' * 2000}" for number in range(10_000)]))
    assert len(text) < COMMENT_LIMIT


def test_commands_for_ten_thousand_endpoints_are_ten_and_say_how_many_are_left() -> None:
    lines = list(workflow_commands(many_endpoints([f"/model/{number}" for number in range(10_000)])))
    assert len(lines) == 10
    assert lines[-1] == "::error title=perfcli::9991 more SLOs did not pass."
