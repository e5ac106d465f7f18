"""The call tree of a new run beside that of its base: in which places the time changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from perfcli.records import ProfileResult
from perfcli.records.call_tree import CallNode
from perfcli.records.comparison import CallChange
from perfcli.records.load import LoadResult

SMALLEST_SHARE = 0.005
"""Of the new run: places that take less are left out, with all below them."""

_Path = tuple[tuple[str, str], ...]


def compare_trees(
    base: ProfileResult | LoadResult, new: ProfileResult | LoadResult, medians_s: tuple[float, float]
) -> tuple[CallChange, ...]:
    """Return the places of the new tree with what the same path took in the base; empty when one has no tree.

    Both are scaled to the medians that are compared. A path is made of names and files; lines move when something above
    them is edited.

    Args:
        base: What is compared with.
        new: What is judged.
        medians_s: Median latency of the two, as they are compared.
    """
    if isinstance(base, LoadResult) or isinstance(new, LoadResult) or not base.call_tree or not new.call_tree:
        return ()
    if (base.target.kind == "remote") != (new.target.kind == "remote"):
        return ()  # One is the tree of the model, the other that of the client.
    base_factor, new_factor = (
        median_s / tree[0].cumulative_s
        for median_s, tree in zip(medians_s, (base.call_tree, new.call_tree), strict=True)
    )
    before_s: dict[_Path, float] = {}
    for path, node in _paths(base.call_tree):
        before_s[path] = before_s.get(path, 0.0) + node.cumulative_s * base_factor
    smallest_s = SMALLEST_SHARE * new.call_tree[0].cumulative_s
    return tuple(
        CallChange(
            replace(node, self_s=node.self_s * new_factor, cumulative_s=node.cumulative_s * new_factor),
            before_s.get(path, 0.0),
        )
        for path, node in _paths(new.call_tree)
        if node.cumulative_s >= smallest_s
    )


def _paths(tree: Sequence[CallNode]) -> Iterator[tuple[_Path, CallNode]]:
    path: list[tuple[str, str]] = []
    for node in tree:
        path[node.depth :] = [(node.function, node.file)]
        yield tuple(path), node
