"""A call tree as a flame graph that hangs from its root: as wide as its time, as deep as its calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from perfcli.records.call_tree import CallNode
from perfcli.reporters.html.svg import WIDTH, drawing, element, text, title
from perfcli.units import format_duration, format_ratio

ROW = 18.0
NARROWEST = 1.6
MOST_FRAMES = 600
LETTER = 6.4


class Box(NamedTuple):
    """Where a node is drawn: from the left edge, and rows from the top."""

    node: CallNode
    left: float
    width: float

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.node.depth * ROW


def layout(tree: Sequence[CallNode], width: float = WIDTH) -> list[Box]:
    """Place every node below its caller, beside the callees before it."""
    boxes: list[Box] = []
    scale = width / tree[0].cumulative_s
    # For each depth, where the next node at this depth begins.
    free = [0.0]
    for node in tree:
        del free[node.depth + 1 :]
        left = free[node.depth]
        boxes.append(Box(node, left, node.cumulative_s * scale))
        free[node.depth] = left + boxes[-1].width
        free.append(left)
    return boxes


def draw_flame_graph(tree: Sequence[CallNode]) -> Markup:
    """Draw the tree; what would be hardly visible is left out, and with it all below, which is narrower still."""
    visible = [box for box in layout(tree) if box.width >= NARROWEST]
    boxes = sorted(visible, key=lambda box: box.width, reverse=True)[:MOST_FRAMES]
    whole_s = tree[0].cumulative_s
    height = (max(box.node.depth for box in boxes) + 1) * ROW
    label = f"Flame graph of one prediction of {format_duration(whole_s)}; the table of functions has its numbers."
    return drawing(height, label, (_draw(box, whole_s) for box in boxes), class_="plot flame")


def _draw(box: Box, whole_s: float) -> str:
    node = box.node
    place = f"\n{node.file}:{node.line}" if node.file else ""
    share = format_ratio(node.cumulative_s / whole_s)
    words = (
        f"{node.function}\n{format_duration(node.cumulative_s)}, {share}; itself {format_duration(node.self_s)}; "
        f"{node.calls:.3g} call{'s' * (node.calls != 1)}{place}"
    )
    letters = int((box.width - 6) / LETTER)
    name = node.function if len(node.function) <= letters else f"{node.function[: letters - 1]}…"
    return element(
        "g",
        title(words),
        element("rect", x=box.left, y=box.top, width=box.width, height=ROW - 1),
        text(name, box.left + 3, box.top + 12.5) if letters >= 3 else "",
        class_="l" if node.library else None,
    )
