"""The drawings, on their coordinates: what is drawn is read back and compared with the numbers."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.records import LatencySummary
from perfcli.records.call_tree import CallNode
from perfcli.records.comparison import BothDistributions, CallChange, MetricChange, Movement
from perfcli.reporters.html import curves, distribution, timeline
from perfcli.reporters.html.bars import draw_durations, draw_shares
from perfcli.reporters.html.comparison_page import BOTH, draw_both, draw_movements, draw_ratios
from perfcli.reporters.html.curves import Curve, draw_curves
from perfcli.reporters.html.distribution import draw_distribution
from perfcli.reporters.html.flame_graph import ROW, draw_flame_changes, draw_flame_graph, layout
from perfcli.reporters.html.percentile_curve import draw_percentiles, percentile_points
from perfcli.reporters.html.svg import WIDTH, Scale, log_ticks, number, path, size_ticks, ticks
from perfcli.reporters.html.timeline import Line, Span, draw_timeline


def elements(svg: str, name: str, class_: str | None = None) -> list[ET.Element]:
    found = ET.fromstring(svg).iter(name)
    return [element for element in found if class_ is None or element.get("class") == class_]


def words(element: ET.Element) -> str:
    title = element.find("title")
    assert title is not None
    return str(title.text)


def points(element: ET.Element) -> list[tuple[float, float]]:
    pairs = re.findall(r"[ML]([\d.-]+) ([\d.-]+)", element.get("d", ""))
    return [(float(x), float(y)) for x, y in pairs]


def test_a_scale_maps_its_ends_and_its_middle():
    scale = Scale(10, 20, 100, 0)
    assert [scale(value) for value in (10, 15, 20)] == [100, 50, 0]
    assert [scale(value) for value in (5, 25)] == [100, 0]


def test_a_logarithmic_scale_gives_equal_factors_equal_room():
    scale = Scale(1, 1000, 0, 300, logarithmic=True)
    assert [scale(value) for value in (1, 10, 100, 1000)] == pytest.approx([0, 100, 200, 300])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 0.7, [0, 0.2, 0.4, 0.6]),
        (-0.3, 0.3, [-0.2, 0, 0.2]),
        (0.0031, 0.0049, [0.0035, 0.004, 0.0045]),
    ],
)
def test_ticks_are_round_and_within_the_range(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_logarithmic_ticks_are_powers_of_ten_with_2_and_5_where_there_is_room():
    assert log_ticks(1, 100) == pytest.approx([1, 2, 5, 10, 20, 50, 100])
    assert log_ticks(0.001, 100) == pytest.approx([0.001, 0.01, 0.1, 1, 10, 100])


@pytest.mark.parametrize(
    ("high", "unit", "expected"),
    [(0.5, 1, [0, 0.2, 0.4]), (2500, 2**10, [0, 1, 2]), (200 * 2**20, 2**20, [0, 50, 100, 150, 200]),
     (1.2 * 2**30, 2**30, [0, 0.5, 1])],
)  # fmt: skip
def test_sizes_have_ticks_that_are_round_in_their_own_unit(high, unit, expected):
    assert size_ticks(0, high, 4) == pytest.approx([value * unit for value in expected])


def test_coordinates_are_written_to_a_hundredth():
    assert [number(value) for value in (0, 10, 10.5, 3.14159, -0.001)] == ["0", "10", "10.5", "3.14", "-0"]


def test_a_missing_point_interrupts_a_line():
    assert path([(0, 1), (2, 3), None, (4, 5)]) == "M0 1L2 3M4 5"


SAMPLES = [0.0050, 0.0051, 0.0052, 0.0053, 0.0050, 0.0051, 0.0052, 0.0053, 0.0051, 0.0090]
LATENCY = LatencySummary(0.00515, 0.0051, 0.0052, 0.0055, None, None, 0.0050, 0.0090, 10)


def test_the_bars_of_the_distribution_hold_every_call_and_are_as_high_as_their_number():
    svg = draw_distribution(SAMPLES, LATENCY)
    bars = [*elements(svg, "rect", "bar"), *elements(svg, "rect", "bar odd")]
    counts = [int(words(bar).split(": ")[1].split()[0]) for bar in bars]
    assert sum(counts) == len(SAMPLES)
    frame = distribution.FRAME
    unit = (frame.bottom - frame.top) / max(counts)
    assert [float(bar.get("height", 0)) for bar in bars] == pytest.approx([count * unit for count in counts], abs=0.02)


def test_the_median_and_its_interval_stand_where_they_are():
    svg = draw_distribution(SAMPLES, LATENCY)
    frame = distribution.FRAME
    scale = Scale(0.0050, 0.0059, frame.left, frame.right)
    (line,) = elements(svg, "line", "median")
    assert float(line.get("x1", 0)) == pytest.approx(scale(0.00515), abs=0.01)
    (interval,) = elements(svg, "rect", "interval")
    assert float(interval.get("x", 0)) == pytest.approx(scale(0.0051), abs=0.01)
    assert float(interval.get("width", 0)) == pytest.approx(scale(0.0052) - scale(0.0051), abs=0.01)


def test_outliers_are_marked():
    svg = draw_distribution(SAMPLES, LATENCY)
    (mark,) = elements(svg, "text", "outlier")
    assert float(mark.get("x", 0)) == pytest.approx(distribution.FRAME.right, abs=0.01)
    (bar,) = elements(svg, "rect", "bar odd")
    assert words(bar).endswith("1 outliers")


def test_an_outlier_far_away_leaves_the_others_their_room():
    svg = draw_distribution([*SAMPLES, 0.0054], LATENCY)
    frame = distribution.FRAME
    (bar,) = elements(svg, "rect", "bar odd")
    assert float(bar.get("x", 0)) + float(bar.get("width", 0)) == pytest.approx(frame.right, abs=0.6)
    assert words(bar).endswith("to 9.00 ms: 1 outliers")
    assert "the last column: up to 9.00 ms" in svg
    lefts = [float(each.get("x", 0)) for each in elements(svg, "rect", "bar")]
    assert max(lefts) - min(lefts) > (frame.right - frame.left) * 0.3


def test_an_axis_that_holds_all_calls_says_nothing_of_a_last_column():
    assert "last column" not in draw_distribution(SAMPLES[:-1], LATENCY)


@pytest.mark.parametrize("odd", [0.001, 0.009])
def test_every_call_is_drawn_where_all_but_one_are_equal(odd):
    svg = draw_distribution([0.005] * 5 + [odd], LATENCY)
    bars = [*elements(svg, "rect", "bar"), *elements(svg, "rect", "bar odd")]
    assert sum(int(words(bar).split(": ")[1].split()[0]) for bar in bars) == 6


def test_equal_calls_can_be_drawn():
    assert elements(draw_distribution([0.005] * 5, LATENCY), "rect", "bar")


def test_shares_are_as_wide_as_their_part():
    svg = draw_shares([("features", 0.5), ("scaler", 0.25), ("model", 0.2), ("rest", 0.05)])
    widths = [float(rect.get("width", 0)) / WIDTH for rect in elements(svg, "rect")]
    assert widths == pytest.approx([0.5, 0.25, 0.2, 0.05], abs=1e-4)
    assert words(elements(svg, "rect")[1]) == "scaler 25.0 %"


def test_durations_share_one_scale():
    svg = draw_durations([("first call", 0.020), ("median", 0.005)])
    first, second = (float(rect.get("width", 0)) for rect in elements(svg, "rect"))
    assert first / second == pytest.approx(4, rel=1e-3)


def node(function: str, depth: int, own: float, whole: float, *, library: bool = False) -> CallNode:
    return CallNode(function, "m.py", 1, library, depth, 1.0, own, whole)


TREE = [
    node("whole", 0, 0, 10),
    node("a", 1, 1, 6),
    node("c", 2, 4, 4, library=True),
    node("d", 2, 1, 1),
    node("b", 1, 1, 3),
    node("d", 2, 2, 2),
]


def test_each_frame_stands_below_its_caller_beside_those_before_it():
    boxes = [(box.node.function, box.left, box.width, box.top / ROW) for box in layout(TREE, width=100)]
    assert boxes == [
        ("whole", 0, 100, 0), ("a", 0, 60, 1), ("c", 0, 40, 2), ("d", 40, 10, 2), ("b", 60, 30, 1), ("d", 60, 20, 2),
    ]  # fmt: skip


def test_the_widths_of_a_flame_graph_are_the_times_of_the_tree(profile_result):
    tree = profile_result.call_tree
    frames = elements(draw_flame_graph(tree), "g")
    assert len(frames) == len(tree)
    widest_first = sorted(tree, key=lambda node: node.cumulative_s, reverse=True)
    for frame, expected in zip(frames, widest_first, strict=True):
        width = float(frame.findall("rect")[0].get("width", 0))
        assert width / WIDTH * tree[0].cumulative_s == pytest.approx(
            expected.cumulative_s, abs=tree[0].cumulative_s * 1e-5
        )
        assert words(frame).startswith(expected.function + "\n")
        assert (frame.get("class") == "l") is expected.library


def test_frames_that_became_longer_and_shorter_have_classes_of_their_own_and_say_by_how_much():
    factors = {"whole": 1.0, "a": 0.5, "c": 1.04, "d": 0.98, "b": 1.02}
    changes = [CallChange(part, part.cumulative_s * factors[part.function]) for part in TREE[:5]]
    frames = {words(frame).split("\n")[0]: frame for frame in elements(draw_flame_changes(changes), "g")}
    assert {name: frame.get("class") for name, frame in frames.items()} == {
        "whole": "z", "a": "u2", "c": "d1", "d": "z", "b": "d1",
    }  # fmt: skip
    assert "+3.00 s from 3.00 s" in words(frames["a"])
    assert "-160 ms from 4.16 s" in words(frames["c"])


def test_two_distributions_are_drawn_each_by_the_share_of_its_own_calls():
    svg = draw_both(BothDistributions(0.001, 0.003, (3, 0, 1, 0), (1, 0, 0, 1)), (5, 2))
    lines = [[path for path in elements(svg, "path", f"line s{side}") if len(points(path)) == 8] for side in (0, 1)]
    base, new = (points(line) for (line,) in lines)
    x, y = Scale(0.001, 0.003, BOTH.left, BOTH.right), Scale(0, 0.6, BOTH.bottom, BOTH.top)
    edges = [0.001, 0.0015, 0.0015, 0.002, 0.002, 0.0025, 0.0025, 0.003]
    for line, shares in ((base, (0.6, 0, 0.2, 0)), (new, (0.5, 0, 0, 0.5))):
        assert [place for place, _ in line] == pytest.approx([x(edge) for edge in edges], abs=0.01)
        assert [height for _, height in line] == pytest.approx([y(share) for share in shares for _ in "ab"], abs=0.01)
    assert words(elements(svg, "rect", "over")[0]) == "1.00 ms to 1.50 ms: base 60.0 %, new 50.0 %"


@given(st.recursive(st.floats(0.001, 1), lambda children: st.lists(children, min_size=1, max_size=4), max_leaves=40))
def test_no_frame_leaves_its_caller_and_none_lies_on_another(shape):
    tree: list[CallNode] = []

    def grow(part, depth):
        """Return how long a part takes: a number is a leaf, a list a function that calls its members."""
        place = len(tree)
        tree.append(node("f", depth, 0, 0))
        whole = part if isinstance(part, float) else sum(grow(member, depth + 1) for member in part) + 0.01
        tree[place] = node(str(place), depth, 0, whole)
        return whole

    grow(shape, 0)
    boxes = layout(tree, width=1000)
    assert [box.node for box in boxes] == tree
    edges: dict[int, float] = {}
    callers: list[tuple[float, float]] = []
    for box in boxes:
        del callers[box.node.depth :]
        assert box.left >= edges.get(box.node.depth, 0.0) - 1e-6
        edges[box.node.depth] = box.left + box.width
        if callers:
            left, right = callers[-1]
            assert left - 1e-6 <= box.left
            assert box.left + box.width <= right + 1e-6
        callers.append((box.left, box.left + box.width))


def test_frames_too_narrow_to_see_are_left_out():
    tree = [node("whole", 0, 0.999, 1), node("tiny", 1, 0.001, 0.001)]
    assert len(elements(draw_flame_graph(tree), "g")) == 1


SPANS = [Span(0, 1, False), Span(1, 2, True), Span(2, 3, True), Span(3, 4, True)]


def test_a_line_over_time_goes_through_the_middle_of_each_second_and_stops_where_nothing_was_measured():
    svg = draw_timeline(SPANS, [Line("requests", [10, 20, None, 40])], str)
    frame = timeline.FRAME
    (line,) = [path for path in elements(svg, "path", "line s0") if len(points(path)) == 3]
    x, y = Scale(0, 4, frame.left, frame.right), Scale(0, 42, frame.bottom, frame.top)
    expected = [(x(0.5), y(10)), (x(1.5), y(20)), (x(3.5), y(40))]
    assert [coordinate for point in points(line) for coordinate in point] == pytest.approx(
        [coordinate for point in expected for coordinate in point], abs=0.01
    )
    assert line.get("d", "").count("M") == 2


def test_what_is_not_measured_is_shaded():
    (shade,) = elements(draw_timeline(SPANS, [Line("requests", [1, 2, 3, 4])], str), "rect", "idle")
    frame = timeline.FRAME
    assert float(shade.get("x", 0)) == frame.left
    assert float(shade.get("width", 0)) == pytest.approx((frame.right - frame.left) / 4, abs=0.01)


def test_each_second_tells_its_values():
    over = elements(draw_timeline(SPANS, [Line("requests", [10, 20, None, 40])], str), "rect", "over")
    assert [words(rect) for rect in over] == ["0 s: requests 10", "1 s: requests 20", "2 s: ", "3 s: requests 40"]


def test_percentiles_stand_at_one_over_what_is_beyond_them():
    histogram = [(0.001, 50), (0.002, 40), (0.003, 9), (0.004, 1)]
    places, seconds = zip(*percentile_points(histogram), strict=True)
    assert places == pytest.approx([1, 2, 2, 10, 10, 100, 100, 100])
    assert seconds == (0.001, 0.001, 0.002, 0.002, 0.003, 0.003, 0.004, 0.004)


def test_the_percentile_curve_rises_from_the_first_to_the_last_value():
    histogram = [(0.001, 50), (0.002, 40), (0.003, 9), (0.004, 1)]
    svg = draw_percentiles(histogram, [(0.9, 0.0021)])
    (line,) = elements(svg, "path", "line s0")
    heights = [y for _, y in points(line)]
    assert heights == sorted(heights, reverse=True)
    (dot,) = elements(svg, "circle", "dot")
    assert words(dot) == "p90: 2.10 ms"


def test_curves_go_through_their_points_in_the_order_of_the_quantity():
    svg = draw_curves([Curve("p50", [(40, 0.03), (10, 0.005), (20, 0.006)])], str, marks=[(20, "knee")], band=(20, 40))
    frame = curves.FRAME
    x = Scale(0, 42, frame.left, frame.right)
    (line,) = [path for path in elements(svg, "path", "line s0") if len(points(path)) == 3]
    assert [place for place, _ in points(line)] == pytest.approx([x(10), x(20), x(40)], abs=0.01)
    assert [words(dot) for dot in elements(svg, "circle")] == [
        "p50 at 10: 5.00 ms", "p50 at 20: 6.00 ms", "p50 at 40: 30.0 ms",
    ]  # fmt: skip
    (knee,) = elements(svg, "line", "median")
    assert float(knee.get("x1", 0)) == pytest.approx(x(20), abs=0.01)
    (band,) = elements(svg, "rect", "idle")
    assert float(band.get("width", 0)) == pytest.approx(x(40) - x(20), abs=0.01)


def test_a_curve_goes_through_the_median_of_equal_quantities_and_stops_where_too_little_was_measured():
    points_ = [(10, 0.005), (20, 0.009), (20, 0.007), (20, 0.008), (30, None), (40, 0.02)]
    svg = draw_curves([Curve("p95", points_)], str)
    frame = curves.FRAME
    x = Scale(0, 42, frame.left, frame.right)
    y = Scale(0.005 / 1.2, 0.02 * 1.2, frame.bottom, frame.top, logarithmic=True)
    (line,) = [path for path in elements(svg, "path", "line s0") if len(points(path)) == 3]
    expected = [(x(10), y(0.005)), (x(20), y(0.008)), (x(40), y(0.02))]
    assert [value for point in points(line) for value in point] == pytest.approx(
        [value for point in expected for value in point], abs=0.01
    )
    assert line.get("d", "").count("M") == 2
    assert len(elements(svg, "circle")) == 5


def test_a_curve_does_not_go_through_what_cannot_be_believed():
    svg = draw_curves([Curve("p50", [(10, 0.005), (20, 0.006)], [(20, 0.2), (40, 0.4)])], str)
    (line,) = [path for path in elements(svg, "path", "line s0") if points(path)[0][1] > curves.FRAME.top]
    frame = curves.FRAME
    x = Scale(0, 42, frame.left, frame.right)
    y = Scale(0.005 / 1.2, 0.4 * 1.2, frame.bottom, frame.top, logarithmic=True)
    expected = [(x(10), y(0.005)), (x(20), y(0.006))]
    assert [value for point in points(line) for value in point] == pytest.approx(
        [value for point in expected for value in point], abs=0.01
    )
    hollow = elements(svg, "circle", "hollow s0")
    assert [words(dot) for dot in hollow] == ["p50 at 20: 200 ms, doubtful", "p50 at 40: 400 ms, doubtful"]
    assert [float(dot.get("cx", 0)) for dot in hollow] == pytest.approx([x(20), x(40)], abs=0.01)


def test_ratios_stand_with_their_intervals_around_one():
    metric = MetricChange("median", 0.005, 0.006, 1.2, 1.1, 1.3, 0.001, "slower", None)
    svg = draw_ratios([metric], 0.05)
    (dot,) = elements(svg, "circle", "dot")
    (line,) = elements(svg, "path", "line s0")
    (low, _), (high, _) = points(line)
    assert float(dot.get("cx", 0)) == pytest.approx((low + high) / 2, abs=0.02)
    assert words(dot) == "median +20.0 %, +10.0 % to +30.0 %"


def test_what_became_longer_stands_to_the_right_and_what_became_shorter_to_the_left():
    svg = draw_movements([Movement("stage", "scaler", 0.001, 0.003), Movement("stage", "model", 0.002, 0.001)])
    longer, shorter = elements(svg, "rect")
    (axis,) = elements(svg, "line", "axis")
    zero = float(axis.get("x1", 0))
    assert float(longer.get("x", 0)) == zero
    assert float(shorter.get("x", 0)) + float(shorter.get("width", 0)) == pytest.approx(zero, abs=0.02)
    assert float(longer.get("width", 0)) == pytest.approx(2 * float(shorter.get("width", 0)), abs=0.02)
