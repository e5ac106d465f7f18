from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from perfcli.records import Advice, Environment, ProfileResult, SloVerdict, TargetDescription
from perfcli.records.capacity import CapacityResult, Probe, WorkerSetting
from perfcli.records.comparison import ComparedRun, Comparison, MetricChange, Movement, Turn
from perfcli.reporters import REPORTERS
from perfcli.reporters.github import command, workflow_commands
from perfcli.reporters.verdict_report import describe_margin

PASS = SloVerdict("p50 < 5ms", "p50", None, "<", 0.005, 0.002, "s", 0.6, 500, 7, "pass", "")
FAIL = SloVerdict(
    "/a|b: p99 < 5ms", "p99", "/a|b", "<", 0.005, 0.010, "s", -1.0, 500, 459, "fail", "p99 is 10.0 ms <&>\n\x00\ud800"
)
FEW = SloVerdict(
    "p99 < 5ms",
    "p99",
    None,
    "<",
    0.005,
    None,
    "s",
    None,
    9,
    459,
    "inconclusive",
    "p99 needs 459 samples, and there are 9",
)


def judged(*verdicts: SloVerdict) -> ProfileResult:
    return ProfileResult(
        target=TargetDescription("embedded", "a:b", "predict", 1, 1, "abc"),
        environment=Environment("1.0", "3.11.7", "Linux", None, 2, 1, None),
        started_at="2026-01-02T03:04:05+00:00",
        measured_s=1.0,
        verdicts=verdicts,
    )


def compared(change: str, ratio: float) -> Comparison:
    run = ComparedRun("a:b", "profile", "base.json", "2026-01-02T03:04:05+00:00", None, 100, 90)
    metric = MetricChange("median", 0.010, 0.010 * ratio, ratio, ratio - 0.01, ratio + 0.01, 0.001, change, None)
    moved = (Movement("stage", "scaler", 0.001, 0.002),)
    return Comparison(run, run, (), 0.05, 0.95, (metric,), change, moved, (), (), partial=False)


def written(suffix: str, result: ProfileResult | Comparison) -> str:
    stream = io.StringIO()
    REPORTERS[suffix].write(result, stream)
    return stream.getvalue()


def test_junit_has_a_case_for_each_slo_whatever_its_text() -> None:
    suite = ET.fromstring(written(".xml", judged(PASS, FAIL, FEW))).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    cases = [(case.get("name"), [(child.tag, child.get("message")) for child in case]) for case in suite]
    assert cases == [
        ("p50 < 5ms", []),
        ("/a|b: p99 < 5ms", [("failure", "p99 is 10.0 ms <&>\n\ufffd\ufffd")]),
        ("p99 < 5ms", [("error", "p99 needs 459 samples, and there are 9")]),
    ]


def test_the_time_of_a_case_is_how_long_was_measured() -> None:
    turns = (Turn((0.25, 0.5), (1.0,)), Turn((0.125,), (0.125,)))
    times = {
        "12.346": replace(judged(PASS, FAIL), measured_s=12.3456),
        "2.000": replace(compared("same", 1.0), turns=turns),
        "0.000": compared("same", 1.0),
    }
    for expected, result in times.items():
        (suite,) = ET.fromstring(written(".xml", result))
        assert {element.get("time") for element in (suite, *suite)} == {expected}


@pytest.mark.parametrize(
    ("change", "element"), [("slower", ["failure"]), ("same", []), ("faster", []), ("inconclusive", ["error"])]
)
def test_junit_of_a_comparison_fails_when_it_is_slower(change: str, element: list[str]) -> None:
    (case,) = ET.fromstring(written(".xml", compared(change, 1.2))).iter("testcase")
    assert [child.tag for child in case] == element


def test_terminal_shows_slo_measured_margin_and_verdict() -> None:
    lines = [line.split() for line in written(".txt", judged(PASS, FEW)).splitlines()]
    assert ["p50", "<", "5ms", "2.00", "ms", "+60.0", "%", "pass"] in lines
    assert any(line[:6] == ["p99", "<", "5ms", "-", "-", "inconclusive"] for line in lines)


def test_markdown_names_what_did_not_pass_first() -> None:
    lines = written(".md", judged(PASS, FAIL)).splitlines()
    start = lines.index("### SLOs: 1 of 2 pass")
    assert lines[start + 2] == "| SLO | measured | margin | verdict | why |"
    assert lines[start + 4].startswith("| /a\\|b: p99 \\< 5ms | 10.0 ms | -100.0 % | fail |")
    assert lines[start + 5].startswith("| p50 \\< 5ms | 2.00 ms | +60.0 % | pass |")


def test_markdown_of_ten_thousand_slos_fits_a_comment() -> None:
    text = written(".md", judged(*[FAIL] * 10_000))
    assert len(text) < 65_536
    assert "9950 more are in the record." in text


def test_report_without_slos_does_not_speak_of_them() -> None:
    assert "SLO" not in written(".txt", judged()) + written(".md", judged())


def test_comparison_says_its_outcome_in_one_sentence() -> None:
    assert written(".txt", compared("slower", 1.2)).startswith("Slower by 20.0 %.\n")
    assert written(".md", compared("same", 1.0)).startswith("## No change of 5.0 % or more.\n")
    assert written(".txt", compared("inconclusive", 1.0)).startswith("Inconclusive: more samples would not tell.\n")
    assert "| scaler | stage | 1.00 ms | 2.00 ms | +1.00 ms |" in written(".md", compared("slower", 1.2))


def test_a_warning_without_a_hint_leaves_no_empty_line() -> None:
    result = replace(compared("same", 1.0), warnings=(Advice("odd", "Mind this.", ""), Advice("odd", "And that.", "")))
    assert written(".txt", result).endswith("! Mind this.\n! And that.\n")


def test_workflow_command_cannot_be_ended_by_what_it_says() -> None:
    assert command("error", "100 %\r\n::warning::x") == "::error title=perfcli::100 %25%0D%0A::warning::x"


def test_github_is_told_what_did_not_pass_and_never_more_than_ten() -> None:
    commands = list(workflow_commands(judged(PASS, FEW, *[FAIL] * 20)))
    assert len(commands) == 10
    assert commands[0].startswith("::warning title=perfcli::p99 < 5ms: inconclusive, p99 needs 459")
    assert commands[-1] == "::error title=perfcli::12 more SLOs did not pass."
    assert list(workflow_commands(judged(PASS))) == list(workflow_commands(compared("same", 1.0))) == []


@pytest.mark.parametrize(
    ("change", "failed", "kinds"),
    [
        ("slower", True, ["error"]),
        ("slower", False, ["warning"]),
        ("faster", True, ["error"]),
        ("faster", False, []),
        ("inconclusive", False, ["warning"]),
        ("same", False, []),
    ],
)
def test_github_is_told_of_a_comparison_as_the_process_ends(change: str, failed: bool, kinds: list[str]) -> None:
    told = list(workflow_commands(compared(change, 1.2), failed=failed))
    assert [line.split(" title=")[0].removeprefix("::") for line in told] == kinds


def searched(outcome: str, capacity: float | None, reason: str) -> CapacityResult:
    here = Environment("1.0", "3.11.7", "Linux", None, 2, 1, None)
    probes = (
        Probe(50.0, "holds", "", 4.0, 49.6, 0.0, 0.020, 0.024, None, 1.0, 0.94, ()),
        Probe(200.0, "fails", "p95 is 118 ms", 2.0, 189.0, 0.5, 0.071, 0.118, None, None, None, ()),
    )
    moment = "2026-01-02T03:04:05+00:00"
    slos = ("p95 < 100ms",)
    return CapacityResult(
        "http://a", "rate", slos, here, moment, probes, capacity, 200.0, 50.0, outcome, reason, (), partial=False
    )


def test_search_shows_its_answer_and_every_probe() -> None:
    found = searched("found", 185.4, "")
    lines = written(".md", found).splitlines()
    assert "**It holds 185/s, and less than 200/s.**" in lines
    assert "| 50.0/s | 49.6/s | 0.0 % | 20.0 ms | 24.0 ms | - | 1.00 | 0.94 | 4.00 s | holds |" in lines
    assert "| 200/s | 189/s | 50.0 % | 71.0 ms | 118 ms | - | - | - | 2.00 s | fails |" in lines
    assert "It holds 185/s, and less than 200/s." in written(".txt", found)
    assert list(workflow_commands(found)) == []


@pytest.mark.parametrize(
    ("outcome", "kind", "element"), [("below", "error", "failure"), ("generator-bound", "warning", "error")]
)
def test_search_without_an_answer_says_why(outcome: str, kind: str, element: str) -> None:
    result = searched(outcome, None, "at 1 already: p95 is 118 ms")
    message = "No capacity: at 1 already: p95 is 118 ms."
    assert message in written(".txt", result)
    assert list(workflow_commands(result)) == [f"::{kind} title=perfcli::{message}"]
    (case,) = ET.fromstring(written(".xml", result)).iter("testcase")
    assert [child.tag for child in case] == [element]


def test_search_over_numbers_of_workers_has_a_line_for_each_and_says_which_is_worth_it() -> None:
    found = searched("found", 185.4, "")
    one = WorkerSetting(1, found.probes[:1], 100.0, 104.0, "found", "", 100.0)
    two = WorkerSetting(2, found.probes, 185.4, 200.0, "found", "", 185.4)
    result = replace(found, workers=2, settings=(one, two))
    lines = written(".md", result).splitlines()
    assert "**Worth it: 2 workers. It holds 185/s, and less than 200/s.**" in lines
    assert "| 1 | 100/s | 104/s | 1.00 | found |" in lines
    assert "| 2 | 185/s | 200/s | 1.85 | worth it |" in lines
    assert [line for line in lines if line.startswith("### ")] == ["### 1 worker", "### 2 workers"]
    assert sum(line.endswith(" 4.00 s | holds |") for line in lines) == 2
    shown = [line.split() for line in written(".txt", result).splitlines()]
    assert ["2", "185/s", "200/s", "1.85", "worth", "it"] in shown
    assert "Worth it" not in written(".txt", replace(result, partial=True))
    page = written(".html", result)
    assert "What was tried with 2 workers" in page
    assert '<tr><th scope="row">1</th><td class="n">100/s</td><td class="n">104/s</td><td>found</td>' in page


def test_search_that_is_not_sure_of_a_number_of_workers_names_it() -> None:
    unsure = searched("generator-bound", None, "the generator could not keep up")
    one = WorkerSetting(1, unsure.probes[:1], 100.0, 104.0, "found", "", 100.0)
    two = WorkerSetting(2, unsure.probes, None, None, "generator-bound", unsure.reason, 150.0)
    why = "2 workers: the generator could not keep up"
    result = replace(unsure, workers=2, settings=(one, two), upper=None, held=150.0, reason=why)
    text = written(".md", result)
    assert f"**Worth it as far as is known: 2 workers. It holds at least 150/s. Not sure: {why}.**" in text
    assert "| 1 | 100/s | 104/s | 1.00 | found |" in text
    assert "| 2 | at least 150/s | - | - | worth it, generator-bound |" in text
    page = written(".html", result)
    assert '<th scope="row">2</th><td class="n">at least 150/s</td><td class="n">-</td><td>generator-bound</td>' in page
    # In flight, and what Little's law says of it, of each probe.
    assert '<td class="n">1.00</td><td class="n">0.94</td><td class="n">4.00 s</td>' in page
    assert '<td class="n">-</td><td class="n">-</td><td class="n">2.00 s</td>' in page


def test_search_in_which_no_number_of_workers_held_anything_calls_none_worth_it() -> None:
    nothing = searched("generator-bound", None, "1 worker: the generator could not keep up; nothing held")
    one = WorkerSetting(1, nothing.probes, None, None, "generator-bound", "the generator could not keep up")
    text = written(".md", replace(nothing, workers=1, settings=(one,)))
    assert "**No capacity: 1 worker: the generator could not keep up; nothing held.**" in text
    assert "| 1 | - | - | - | generator-bound |" in text
    assert "worth it" not in text.lower()


@pytest.mark.parametrize(
    ("margin", "words"),
    [(0.5, "+50.0 %"), (-0.25, "-25.0 %"), (-1.0, "-100.0 %"), (-63.71, "64.7x the limit"), (99.0, "100x the limit")],
)
def test_margin_of_many_times_the_limit_is_a_multiple(margin: float, words: str) -> None:
    assert describe_margin(margin) == words


def test_the_log_line_of_a_profile_stays_the_last_whatever_is_judged(profile_result: ProfileResult) -> None:
    stream = io.StringIO()
    REPORTERS[".txt"].write(replace(profile_result, verdicts=(PASS,)), stream)
    shown = stream.getvalue()
    assert "p50 < 5ms" in shown
    assert list(json.loads(shown.splitlines()[-1])) == ["performance_metrics"]
