"""The pages as a browser gets them: complete, alone, bounded, and without anybody else's markup."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from typing import Any

import pytest

from perfcli.records import Advice, Phase, ServerView, SloVerdict
from perfcli.records.capacity import CapacityResult, Probe, WorkerSetting
from perfcli.records.codec import SCHEMAS, decode, encode
from perfcli.records.comparison import (
    BothDistributions,
    CallChange,
    ComparedRun,
    Comparison,
    MetricChange,
    Movement,
    Turn,
)
from perfcli.records.latency_counts import count_latencies
from perfcli.records.load import ErrorCount
from perfcli.records.sweep import SweepPoint, SweepResult
from perfcli.reporters import REPORTERS
from perfcli.reporters.html.load_page import MOST_SPANS
from perfcli.reporters.html.page import PAGES
from perfcli.reporters.second_groups import group_seconds
from perfcli.units import format_duration, format_ratio

EVERYWHERE = count_latencies({2**power * digit: 1 for power in range(12, 39) for digit in (4, 5, 6, 7)})
"""Latencies from 16 us to an hour, all in one second."""
EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Collects tags, attributes and the words a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.contents: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in {"script", "style"}:
            self.contents.setdefault(self.tags[-1][0], data)
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def render(result: Any) -> str:
    stream = io.StringIO()
    REPORTERS[".html"].write(result, stream)
    return stream.getvalue()


@pytest.fixture(scope="session")
def comparison(profile_result) -> Comparison:
    run = ComparedRun("model", "profile", "base.json", "2026-01-01T00:00:00+00:00", None, 100, 90)
    return Comparison(
        base=run,
        new=replace(run, source="new.json"),
        turns=(Turn((0.005, 0.0051, 0.0052), (0.006, 0.0061, 0.0062)),) * 40,
        min_effect=0.05,
        confidence=0.95,
        metrics=(MetricChange("median", 0.005, 0.006, 1.2, 1.1, 1.3, 0.001, "slower", None),),
        change="slower",
        moved=(Movement("stage", "scaler", 0.001, 0.002),),
        differences=(),
        warnings=(Advice("code", "Seen.", "Do this."),),
        partial=False,
        call_tree=tuple(CallChange(node, node.cumulative_s * 0.9) for node in profile_result.call_tree),
        distributions=BothDistributions(0.005, 0.0062, (40, 40, 40, 0, 0), (0, 0, 0, 0, 120)),
    )


def probe(load: float, p50_s: float) -> Probe:
    outcome = "holds" if p50_s < 0.02 else "fails"
    return Probe(load, outcome, "", 10.0, load, 0.0, p50_s, p50_s * 2, p50_s * 3, 1.0, 1.0, ())


@pytest.fixture(scope="session")
def capacity(load_result) -> CapacityResult:
    return CapacityResult(
        url="http://127.0.0.1:8000",
        by="rate",
        slos=("p95 < 40ms",),
        environment=load_result.environment,
        started_at=load_result.started_at,
        probes=(probe(10, 0.005), probe(20, 0.006), probe(40, 0.03), probe(30, 0.012)),
        capacity=30.0,
        upper=40.0,
        knee=20.0,
        outcome="found",
        reason="",
        warnings=(Advice("code", "Seen.", "Do this."),),
        partial=False,
        workers=1,
        settings=(
            WorkerSetting(1, (probe(10, 0.005),), 10.0, 12.0, "found", ""),
            WorkerSetting(2, (probe(10, 0.005),), None, None, "below", "the SLOs fail at the lowest load"),
        ),
    )


@pytest.fixture(scope="session")
def sweep(profile_result) -> SweepResult:
    points = [
        SweepPoint(batch, threads, 0.002 + batch * 1e-5, 0.0019, None, 50)
        for threads in (1, 2)
        for batch in (1, 10, 100)
    ]
    return SweepResult(
        target=profile_result.target,
        environment=profile_result.environment,
        started_at=profile_result.started_at,
        points=tuple(points),
        knee=10,
        recommended=100,
        threads=2,
        gain=67.0,
        warnings=(Advice("code", "Seen.", "Do this."),),
        partial=False,
    )


@pytest.fixture(params=["profile_result", "load_result", "comparison", "capacity", "sweep"])
def result(request):
    return request.getfixturevalue(request.param)


def poisoned(value: Any) -> Any:
    """Return a record with the same numbers whose every foreign text is an attack."""
    if isinstance(value, str):
        # Words that the records allow only a few of are not foreign.
        return value if value in ALLOWED or value.startswith("HISTF") else EVIL
    if isinstance(value, tuple):
        return tuple(poisoned(part) for part in value)
    if isinstance(value, dict):
        return {f"{EVIL}{key}": poisoned(part) for key, part in value.items()}
    if is_dataclass(value):
        return replace(
            value,
            **{field.name: poisoned(getattr(value, field.name)) for field in fields(value)},  # type: ignore[type-var]
        )
    return value


ALLOWED = {
    "rate",
    "holds",
    "fails",
    "found",
    "open",
    "closed",
    "trustworthy",
    "slower",
    "faster",
    "same",
    "inconclusive",
    "pass",
    "fail",
    "s",
    "ratio",
}


def test_whatever_a_text_holds_it_stays_text(result):
    clean, page = Page(render(result)), Page(render(poisoned(result)))
    assert page.count("script") == clean.count("script") == 1
    assert page.count("img") == 0
    assert not [attributes for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text


def test_every_kind_of_result_has_a_page():
    assert {record.__module__.rpartition(".")[2] for record in PAGES} == set(SCHEMAS.values())


def test_a_comparison_comes_back_as_it_was_with_its_call_tree(comparison):
    found = decode(json.loads(json.dumps(encode(comparison))))
    assert isinstance(found, Comparison)
    assert [change.node.function for change in found.call_tree] == [c.node.function for c in comparison.call_tree]
    assert [change.base_s for change in found.call_tree] == pytest.approx(
        [c.base_s for c in comparison.call_tree], abs=1e-9
    )
    assert found.distributions == comparison.distributions
    earlier = encode(comparison)
    del earlier["call_tree"], earlier["distributions"]
    assert decode(earlier) == replace(decode(encode(comparison)), call_tree=(), distributions=None)  # type: ignore[type-var]


def test_a_comparison_shows_its_intervals_and_differences_in_words(comparison):
    text = Page(render(comparison)).text
    assert "median 5.00 ms 6.00 ms +20.0 % +10.0 % to +30.0 % 0.001 slower" in text
    assert "scaler stage 1.00 ms 2.00 ms +1.00 ms" in text


def test_the_memory_of_a_load_has_round_sizes_on_its_axis(load_result):
    seconds = tuple(replace(second, server_rss_bytes=190 * 2**20) for second in load_result.seconds)
    text = Page(render(replace(load_result, seconds=seconds))).text
    assert "0 B 50.0 MiB 100 MiB 150 MiB" in text


def test_a_search_for_capacity_shows_every_load_that_was_tried(capacity):
    text = Page(render(capacity)).text
    assert "It holds 30.0/s, and less than 40.0/s." in text
    assert "40.0/s 40.0/s 0.0 % 30.0 ms 60.0 ms 90.0 ms 1.00 1.00 10.0 s ✗ fails" in text
    assert "10.0/s 10.0/s 0.0 % 5.00 ms 10.0 ms 15.0 ms 1.00 1.00 10.0 s ✓ holds" in text


def test_a_search_over_numbers_of_workers_shows_what_each_holds(capacity):
    text = Page(render(capacity)).text
    assert text.count("1 10.0/s 12.0/s found 2 - - below the SLOs fail at the lowest load") == 1


def test_a_probe_that_says_nothing_of_the_service_is_a_hollow_dot(capacity):
    assert "Hollow dots" not in Page(render(capacity)).text
    busy = replace(capacity, probes=(*capacity.probes, replace(probe(20, 0.5), outcome="disturbed")))
    page = Page(render(busy))
    assert "Hollow dots say nothing of the service" in page.text
    hollow = [attributes["class"] for tag, attributes in page.tags if tag == "circle" if "hollow" in str(attributes)]
    assert hollow == ["hollow s0", "hollow s1", "hollow s2"]


def test_a_sweep_shows_every_batch(sweep):
    text = Page(render(sweep)).text
    assert "10 2 2.10 ms 1.90 ms to - 210 us 50" in text


def test_what_measured_nothing_has_a_page_of_each_kind(capacity, sweep):
    nothing = replace(
        capacity,
        probes=(),
        capacity=None,
        upper=None,
        knee=None,
        reason="it was interrupted",
        workers=None,
        settings=(),
    )
    assert "No capacity: it was interrupted." in Page(render(nothing)).text
    assert "Nothing was measured." in Page(render(replace(sweep, points=(), knee=None, gain=None))).text


def test_a_profile_of_a_remote_api_shows_the_exchange_and_what_the_server_says(profile_result):
    remote = replace(
        profile_result,
        target=replace(profile_result.target, kind="remote", name="http://127.0.0.1:8000/predict", method="POST"),
        phases=(Phase("connect", 0.0005, None), Phase("wait", 0.004, 0.0035)),
        server=ServerView({"predict": 0.003}, None, 12, (replace(profile_result.functions[0], records=5),), profiled=7),
        call_tree=None,
    )
    text = Page(render(remote)).text
    assert "connect 500 us - wait 4.00 ms 3.50 ms" in text
    assert "metric of Server-Timing median predict 3.00 ms" in text
    assert "The server's functions function self share cumulative calls named in where" in text
    assert " 5 of 7 " in text
    assert "Client functions" in text
    for fact in ("CPU, calling thread", "CPU, all threads", "peak memory of one call", "resident memory"):
        assert f"client {fact}" in text
    assert "Flame graph" not in text


def test_each_slo_has_its_verdict_in_words_and_not_by_colour_alone(load_result):
    verdicts = tuple(
        SloVerdict(f"p99 < {limit}ms", "p99", None, "<", limit / 1e3, 0.174, "s", 0.1, 1320, 459, outcome, reason)
        for limit, outcome, reason in ((200, "pass", ""), (100, "fail", "174 ms"), (1, "inconclusive", "few samples"))
    )
    text = Page(render(replace(load_result, verdicts=verdicts))).text
    assert "p99 < 200ms 174 ms ✓ pass p99 < 100ms 174 ms ✗ fail 174 ms" in text
    assert "p99 < 1ms 174 ms ? inconclusive few samples" in text


def test_a_page_asks_nobody_for_anything(result):
    page = Page(render(result))
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    assert not [
        name for _, attributes in page.tags for name in attributes if name in {"src", "href", "style", "xlink:href"}
    ]
    assert "url(" not in page.contents["style"]


def test_only_our_own_style_and_script_may_run(result):
    page = Page(render(result))
    (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv")]
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.contents[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none';")


def test_every_drawing_has_words_for_who_cannot_see_it(result):
    drawings = [attributes for tag, attributes in Page(render(result)).tags if tag == "svg"]
    assert drawings
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in drawings)


def test_every_reference_within_the_page_leads_somewhere_and_names_are_unique(result):
    page = Page(render(result))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a} <= set(ids)


def test_a_profile_is_readable_without_javascript(profile_result):
    text = Page(render(profile_result)).text
    latency = profile_result.latency
    assert f"{format_duration(latency.median_s)} median of {latency.runs} calls" in text
    for stage in profile_result.stages:
        assert f"{stage.name} {format_duration(stage.median_s)} {format_ratio(stage.share)}" in text
    for function in profile_result.functions[:40]:
        assert f"{function.function} {format_duration(function.self_s)} {format_ratio(function.share)}" in text
    for warning in profile_result.warnings:
        assert " ".join(warning.message.split()) in text


def test_a_load_is_readable_without_javascript(load_result):
    text = Page(render(load_result)).text
    total = load_result.total
    assert f"{format_duration(total.latency.p99_s)} p99 of {total.successes} successes" in text
    assert f"{load_result.arrivals.scheduled} were due: {load_result.arrivals.sent} sent" in text
    assert load_result.diagnosis in text


def test_failures_of_a_load_are_shown_by_class(load_result):
    failed = replace(load_result, errors=(ErrorCount("http_5xx", 30, "status 503"),))
    assert "http_5xx 30 status 503" in Page(render(failed)).text


def test_a_run_that_measured_nothing_has_a_page(profile_result, load_result):
    nothing = replace(
        profile_result, latency=None, cpu=None, memory=None, stages=(), functions=(), samples_s=(), call_tree=None,
        partial=True,
    )  # fmt: skip
    text = Page(render(nothing)).text
    assert "Interrupted: this is a partial result." in text
    assert "Nothing was measured before the interruption." in text
    empty = replace(load_result, seconds=(), errors=(), arrivals=None, server=None, diagnosis=None, partial=True)
    assert "Interrupted" in Page(render(empty)).text


def long_load(load_result: Any, seconds: int) -> Any:
    """Return a run of so many seconds."""
    course = [replace(second, elapsed_s=1.0, latency_counts=EVERYWHERE) for second in load_result.seconds[:20]]
    return replace(load_result, seconds=tuple(replace(course[n % 20], start_s=float(n)) for n in range(seconds)))


def test_a_page_is_small_enough_to_send(profile_result, load_result):
    tree = list(profile_result.call_tree)
    wide = tuple(
        replace(tree[1], depth=1 + level, cumulative_s=tree[0].cumulative_s / 500, self_s=0.0)
        for _ in range(500)
        for level in range(2)
    )
    profile = replace(
        profile_result,
        call_tree=(tree[0], *wide),
        functions=profile_result.functions * 40,
        samples_s=profile_result.samples_s * 200,
    )
    assert len(render(profile).encode()) < 300_000
    assert len(render(long_load(load_result, 600)).encode()) < 500_000
    assert len(render(long_load(load_result, 36_000)).encode()) < 500_000


def test_a_million_samples_are_written_at_once(load_result):
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, 3_600_000_000_000, 3)
    for value in range(1000):
        histogram.record_value(4_000_000 + value * 37_000, 1000)
    total = replace(load_result.total, histogram=histogram.encode().decode(), requests=1_000_000)
    started = time.process_time()
    page = render(replace(long_load(load_result, 600), total=total))
    assert time.process_time() - started < 2
    assert "Latency by percentile" in page


def groups_of(load_result: Any, count: int) -> Iterator[int]:
    yield from map(len, group_seconds(long_load(load_result, count).seconds, MOST_SPANS))


def test_a_short_run_has_a_point_for_each_second_and_a_long_one_is_put_together(load_result):
    assert set(groups_of(load_result, 20)) == {1}
    long = list(groups_of(load_result, 36_000))
    assert sum(long) == 36_000
    assert len(long) <= MOST_SPANS


def test_a_last_second_cut_short_goes_with_the_one_before(load_result):
    seconds = long_load(load_result, 3).seconds
    cut = (*seconds[:2], replace(seconds[2], elapsed_s=0.07))
    assert [len(group) for group in group_seconds(cut, MOST_SPANS)] == [1, 2]


def test_warm_up_is_never_mixed_with_what_is_measured(load_result):
    seconds = long_load(load_result, 600).seconds
    mixed = tuple(replace(second, measured=position > 100) for position, second in enumerate(seconds))
    assert all(len({second.measured for second in group}) == 1 for group in group_seconds(mixed, MOST_SPANS))


def test_the_script_is_about_4_kilobytes(profile_result):
    assert len(re.findall(r"<script>(.*)</script>", render(profile_result), re.DOTALL)[0]) < 4500


@pytest.mark.parametrize(("elapsed_s", "said"), [(1.0, "one second. "), (3.2, "one second, the last 3.20 s. ")])
def test_the_last_column_of_a_load_says_how_long_it_is(load_result, elapsed_s, said):
    last = replace(load_result.seconds[-1], elapsed_s=elapsed_s, latency_counts=count_latencies({4_000_000: 60}))
    seconds = (*load_result.seconds[:-1], last)
    text = Page(render(replace(load_result, seconds=seconds))).text
    assert f"Each column is {said}" in text
