"""Two call trees beside each other, on trees made by hand."""

from __future__ import annotations

import pytest

from perfcli.records.call_tree import CallNode
from perfcli.records.comparison import CallChange
from perfcli.verdicts.tree_changes import compare_trees


def node(function: str, depth: int, own: float, whole: float, line: int = 1) -> CallNode:
    return CallNode(function, f"{function}.py", line, False, depth, 1.0, own, whole)


BASE = (node("whole", 0, 0.0, 4.0), node("a", 1, 0.0, 3.0), node("c", 2, 3.0, 3.0), node("b", 1, 1.0, 1.0))
NEW = (
    node("whole", 0, 0.0, 8.0),
    node("b", 1, 0.0, 5.0),
    node("c", 2, 5.0, 5.0),
    node("a", 1, 0.0, 2.97),
    node("c", 2, 2.97, 2.97, line=40),
    node("tiny", 1, 0.03, 0.03),
)


def changes(make_profile, medians=(4.0, 8.0)) -> tuple[CallChange, ...]:
    return compare_trees(make_profile([4.0], call_tree=BASE), make_profile([8.0], call_tree=NEW), medians)


def test_each_place_is_compared_with_the_same_path_and_not_with_its_namesake(make_profile):
    found = {(change.node.function, change.node.depth, change.base_s) for change in changes(make_profile)}
    assert found == {("whole", 0, 4.0), ("b", 1, 1.0), ("c", 2, 0.0), ("a", 1, 3.0), ("c", 2, 3.0)}


def test_both_trees_are_scaled_to_the_medians_that_are_compared(make_profile):
    found = changes(make_profile, medians=(2.0, 2.0))
    assert (found[0].node.cumulative_s, found[0].base_s, found[0].difference_s) == (2.0, 2.0, 0.0)
    assert (found[1].node.cumulative_s, found[1].base_s) == pytest.approx((1.25, 0.5))


def test_what_is_small_is_left_out(make_profile):
    assert "tiny" not in {change.node.function for change in changes(make_profile)}


def test_runs_without_a_tree_have_no_changes_of_it(make_profile, make_load):
    with_tree, without = make_profile([4.0], call_tree=BASE), make_profile([4.0])
    assert compare_trees(with_tree, without, (4.0, 4.0)) == ()
    assert compare_trees(without, with_tree, (4.0, 4.0)) == ()
    assert compare_trees(make_load(), make_load(), (4.0, 4.0)) == ()
