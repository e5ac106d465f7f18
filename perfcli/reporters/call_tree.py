"""The call tree for a terminal: the reader's own functions, and what of the libraries they call directly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from perfcli.records.call_tree import CallNode
from perfcli.units import format_duration, format_ratio

SMALLEST_SHARE = 0.01


def fold_libraries(tree: Sequence[CallNode], smallest_share: float = SMALLEST_SHARE) -> list[CallNode]:
    """Leave out what libraries call among themselves, and what is small, with all that is below it.

    A library function stays when own code calls it; own code that a library calls moves up below it. Depths are those
    of the folded tree.
    """
    smallest_s = smallest_share * tree[0].cumulative_s
    kept: list[CallNode] = []
    # Depth in the folded tree, and whether it is a library's, of each node above the current one.
    above: list[tuple[int, bool]] = []
    hidden_below: int | None = None
    for node in tree:
        if hidden_below is not None and node.depth > hidden_below:
            continue
        hidden_below = node.depth if node.cumulative_s < smallest_s else None
        if hidden_below is not None:
            continue
        del above[node.depth :]
        depth, in_library = above[-1] if above else (-1, False)
        if not (node.library and in_library):
            depth += 1
            kept.append(replace(node, depth=depth))
        above.append((depth, node.library))
    return kept


class FoldedTree:
    """What a terminal shows of a call tree; lines too long for it lose their end, never a number."""

    def __init__(self, tree: Sequence[CallNode]):
        self._tree = tree

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        yield Text("Call tree, calls among library functions folded", style="bold")
        yield from tree_lines(self._tree)


def tree_lines(tree: Sequence[CallNode]) -> Iterator[Text]:
    """Yield a line per node of the folded tree: share, duration, function and place."""
    nodes = fold_libraries(tree)
    whole_s = nodes[0].cumulative_s
    prefixes: list[str] = []
    for position, node in enumerate(nodes):
        is_last = _is_last(nodes, position)
        del prefixes[max(0, node.depth - 1) :]
        branch = ("└─ " if is_last else "├─ ") if node.depth else ""
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{format_ratio(node.cumulative_s / whole_s):>7}  {format_duration(node.cumulative_s):>7}  ")
        line.append("".join(prefixes) + branch, style="dim")
        line.append(node.function, style="cyan" if node.library else "bold")
        if node.file:
            line.append(f"  {node.file}:{node.line}", style="dim")
        if node.depth:
            prefixes.append("   " if is_last else "│  ")
        yield line


def _is_last(nodes: Sequence[CallNode], position: int) -> bool:
    """Tell whether no sibling follows."""
    depth = nodes[position].depth
    following = next((node.depth for node in nodes[position + 1 :] if node.depth <= depth), -1)
    return following < depth
