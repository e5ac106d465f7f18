"""The heat map, read back: every success of the record is in a cell, and each cell stands where its duration is."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from perfcli.records.latency_counts import LatencyClass, LatencyCounts, add_latencies, count_latencies
from perfcli.reporters.html.heat_map import FRAME, LEVELS, MOST_CELLS, cells_of, draw_heat_map, level
from perfcli.reporters.html.load_page import MOST_SPANS, load_drawings
from perfcli.reporters.html.svg import Scale
from perfcli.reporters.html.timeline import Line, Span
from perfcli.units import format_duration

MS = 1_000_000


def counted(durations_ns: dict[int, int]) -> LatencyCounts:
    found = count_latencies(durations_ns)
    assert found is not None
    return found


def columns_of(svg: str) -> list[list[ET.Element]]:
    """Return the cells of each column."""
    return [group.findall("path") for group in ET.fromstring(svg).findall("g")]


def corners(cell: ET.Element) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom."""
    found = re.fullmatch(r"M(\S+) (\S+)H([\d.]+)V([\d.]+)H\1", cell.get("d", ""))
    assert found is not None
    left, top, right, bottom = map(float, found.groups())
    return left, top, right, bottom


def words(element: ET.Element) -> str:
    return str(element.findtext("title"))


def samples(cell: ET.Element) -> int:
    return int(words(cell).split(" of ")[0])


SPANS = [Span(0, 1, False), Span(1, 2, True), Span(2, 4, True)]
COLUMNS = [counted({5 * MS: 1, 6 * MS: 3}), None, counted({5 * MS: 40, 80 * MS: 2})]
LINES = [Line("p50", [0.006, None, 0.005]), Line("max", [0.006, None, 0.08])]


def test_every_cell_stands_at_its_second_and_its_durations():
    columns = columns_of(draw_heat_map(SPANS, COLUMNS, LINES))
    x = Scale(0, 4, FRAME.left, FRAME.right)
    y = Scale(4 * 2**20 / 1e9, 20 * 2**22 / 1e9, FRAME.bottom, FRAME.top, logarithmic=True)
    assert [len(column) for column in columns] == [2, 0, 2]
    for cell, (left, right), (start, end) in zip(
        [*columns[0], *columns[2]],
        [(0, 1), (0, 1), (2, 4), (2, 4)],
        [(4 * 2**20, 5 * 2**20), (5 * 2**20, 6 * 2**20), (4 * 2**20, 5 * 2**20), (4 * 2**24, 5 * 2**24)],
        strict=True,
    ):
        assert corners(cell) == pytest.approx((x(left), y(end / 1e9), x(right), y(start / 1e9)), abs=0.01)
        assert words(cell).endswith(f" of {format_duration(start / 1e9)} to {format_duration(end / 1e9)}")
    assert [samples(cell) for cell in (*columns[0], *columns[2])] == [1, 3, 40, 2]


def test_the_percentiles_run_over_the_cells_and_a_pointer_between_them_reads_them():
    svg = draw_heat_map(SPANS, COLUMNS, LINES)
    y = Scale(4 * 2**20 / 1e9, 20 * 2**22 / 1e9, FRAME.bottom, FRAME.top, logarithmic=True)
    (slowest,) = [
        path.get("d", "")
        for path in ET.fromstring(svg).findall("path")
        if path.get("class") == "line s1" and "M" in path.get("d", "")[1:]
    ]
    heights = [float(pair.split(" ")[1]) for pair in re.findall(r"[ML]([\d.]+ [\d.]+)", slowest)]
    assert heights == pytest.approx([y(0.006), y(0.08)], abs=0.01)
    assert [words(group) for group in ET.fromstring(svg).findall("g")] == [
        "0 s: p50 6.00 ms, max 6.00 ms", "1 s: ", "2 s: p50 5.00 ms, max 80.0 ms",
    ]  # fmt: skip


def test_colours_are_steps_of_equal_factors_from_one_to_the_most():
    assert [level(count, 127) for count in (1, 2, 4, 8, 16, 32, 64, 127)] == [0, 1, 2, 3, 4, 5, 6, 6]
    assert level(1, 1) == 0
    svg = draw_heat_map(SPANS, [counted({5 * MS: 1}), counted({5 * MS: 127}), None], LINES)
    assert [cell.get("class") for column in columns_of(svg) for cell in column] == ["h0", "h6"]
    assert [rect.get("class") for rect in ET.fromstring(svg).findall("rect")][-LEVELS:] == [
        f"h{step}" for step in range(LEVELS)
    ]


def test_classes_are_joined_while_there_are_too_many_cells_and_no_success_is_lost():
    wide = counted({2**power * digit: 3 for power in range(14, 40) for digit in (4, 5, 6, 7)})
    fine, coarse = cells_of([wide] * 10), cells_of([wide] * 100)
    assert [len(column) for column in fine] == [26 * 4] * 10
    assert sum(map(len, coarse)) <= MOST_CELLS < 100 * 26 * 2
    assert coarse[0][0] == LatencyClass(2**16, 2**17, 12)
    assert {sum(cell.samples for cell in column) for column in coarse} == {26 * 4 * 3}


def heated(load_result, length=None):
    """Return the recorded run with the distribution that its seconds would have had, repeated to a length."""
    seconds = []
    for position in range(length or len(load_result.seconds)):
        second = load_result.seconds[position % 20]
        spread = {round(second.latency.max_s * 1e9 / (1 + step)): 1 for step in range(second.requests)}
        seconds.append(replace(second, start_s=float(position), elapsed_s=1.0, latency_counts=counted(spread)))
    return replace(load_result, seconds=tuple(seconds))


@pytest.mark.parametrize("length", [2, 20, 600, 7200])
def test_the_numbers_in_the_cells_are_those_of_the_record(load_result, length):
    result = heated(load_result, length)
    columns = columns_of(load_drawings(result)["heat"])
    assert len(columns) <= MOST_SPANS
    x = Scale(0, length, FRAME.left, FRAME.right)
    drawn: dict[float, int] = defaultdict(int)
    for column in columns:
        for cell in column:
            drawn[corners(cell)[0]] += samples(cell)
    expected: Counter[float] = Counter()
    lefts = sorted(drawn)
    for second in result.seconds:
        place = x(second.start_s)
        expected[max(left for left in lefts if left <= place + 0.01)] += second.requests
    assert drawn == expected
    whole = add_latencies(second.latency_counts for second in result.seconds if second.latency_counts)
    assert whole is not None
    assert sum(drawn.values()) == sum(whole.counts) == sum(second.requests for second in result.seconds)


def test_a_record_of_before_distributions_were_kept_is_drawn_as_lines(load_result):
    earlier = replace(load_result, seconds=tuple(replace(each, latency_counts=None) for each in load_result.seconds))
    drawings = load_drawings(earlier)
    assert "heat" not in drawings
    assert 'class="line s1"' in drawings["latency"]
    assert "latency" not in load_drawings(heated(load_result))
