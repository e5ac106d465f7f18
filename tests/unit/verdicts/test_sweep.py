from __future__ import annotations

import io
from dataclasses import replace

import pytest

from perfcli.records import Environment, TargetDescription
from perfcli.records.sweep import SweepPoint, SweepResult
from perfcli.records.sweep_codec import decode_sweep, encode_sweep
from perfcli.reporters import REPORTERS
from perfcli.reporters.sweep_report import describe_sweep
from perfcli.verdicts.sweep import Recommendation, advise_on_threads, recommend


def point(batch: int, median_ms: float, threads: int | None = None, spread: float = 0.01) -> SweepPoint:
    median_s = median_ms / 1000
    return SweepPoint(batch, threads, median_s, median_s * (1 - spread), median_s * (1 + spread), 50)


CURVE = [point(1, 4.0), point(8, 4.0), point(32, 4.8), point(128, 6.4), point(512, 20.0), point(2048, 79.0)]


def test_knee_and_batch_are_the_smallest_that_are_cheap_enough() -> None:
    # A row costs 4000, 500, 150, 50, 39 and 38.6 us.
    assert recommend(CURVE) == Recommendation(128, 512, None, pytest.approx(4000 / 39.0625))


def test_fewer_threads_are_taken_when_more_gain_nothing() -> None:
    points = [point(1, 4.0, 1), point(512, 10.0, 1), point(1, 4.0, 4), point(512, 9.9, 4)]
    assert recommend(points).threads == 1
    assert recommend([*points[:2], point(1, 4.0, 4), point(512, 5.0, 4)]).threads == 4


def test_threads_beyond_the_processors_that_make_it_slower_are_named() -> None:
    points = [point(512, 10.0, 1), point(512, 9.0, 2), point(512, 13.0, 4), point(1, 4.0, 2), point(1, 4.0, 4)]
    (advice,) = advise_on_threads(points, cpus=2)
    assert advice.code == "oversubscribed"
    # The intervals are 1 % wide on either side: 13.0 * 0.99 / (9.0 * 1.01) = 1.416.
    assert advice.message == "4 threads make a batch of 512 at least 41.6 % slower than 2 on 2 processors."
    assert advise_on_threads(points, cpus=8)[0].code == "threads_do_not_help"


def test_threads_whose_intervals_overlap_are_not_named() -> None:
    assert advise_on_threads([point(1, 4.0, 1, 0.2), point(1, 5.0, 4, 0.2)], cpus=2) == ()
    assert advise_on_threads(CURVE, cpus=2) == ()


def test_no_points_are_refused() -> None:
    with pytest.raises(ValueError, match="no points"):
        recommend([])


def make_result(gain: float | None = 102.4) -> SweepResult:
    target = TargetDescription("embedded", "a:b", "predict", 1, 2048, "abc")
    here = Environment("1.0", "3.11.7", "Linux", None, 2, 1, None)
    points = tuple(CURVE) if gain else ()
    return SweepResult(target, here, "2026-01-02T03:04:05+00:00", points, 128, 512, None, gain, (), partial=False)


def test_sweep_survives_its_json() -> None:
    document = encode_sweep(make_result())
    assert (document["points"][0]["median_ms"], document["points"][1]["row_ms"]) == (4.0, 0.5)
    assert decode_sweep(document).points[4].row_s == pytest.approx(0.020 / 512)
    assert encode_sweep(decode_sweep(document)) == document


@pytest.mark.parametrize(
    ("gain", "sentence"),
    [
        (102.4, "A row alone costs 102 times what it costs in a batch of 512. The knee is at 128."),
        (1.2, "Batches gain little: a row costs nearly the same in every size."),
        (None, "Nothing was measured."),
    ],
)
def test_sweep_says_its_outcome_first(gain: float | None, sentence: str) -> None:
    for suffix in (".txt", ".md"):
        stream = io.StringIO()
        REPORTERS[suffix].write(make_result(gain), stream)
        assert sentence in stream.getvalue().splitlines()[2].replace("*", "")


def test_one_batch_size_says_nothing_about_others() -> None:
    one = replace(make_result(1.0), points=(point(1, 4.0, 1), point(1, 4.1, 2)), threads=1)
    for suffix in (".txt", ".md"):
        stream = io.StringIO()
        REPORTERS[suffix].write(one, stream)
        assert "One batch size says nothing about others: name several with --batch 1,8,32." in stream.getvalue()
        assert "Batches gain little" not in stream.getvalue()


def test_the_largest_batch_is_no_knee() -> None:
    stream = io.StringIO()
    REPORTERS[".txt"].write(replace(make_result(), knee=2048), stream)
    assert "There is no knee up to 2048." in stream.getvalue()


def test_batches_that_cost_more_per_row_are_told() -> None:
    dear = replace(make_result(1.0), points=(point(1, 1.0), point(8, 12.0), point(32, 448.0)), recommended=1, knee=8)
    assert describe_sweep(dear) == "Batches cost more per row: in a batch of 32 it takes 14 times as long as alone."
    late = replace(make_result(4.0), points=(point(1, 4.0), point(8, 8.0), point(32, 96.0)), recommended=8, knee=8)
    assert describe_sweep(late) == (
        "A row alone costs 4 times what it costs in a batch of 8. The knee is at 8."
        " Larger ones cost more: in a batch of 32 it takes 3 times as long as in a batch of 8."
    )
