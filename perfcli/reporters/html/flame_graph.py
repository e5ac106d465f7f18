"""A call tree as a flame graph that hangs from its root: as wide as its time, as deep as its calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from perfcli.records.call_tree import CallNode
from perfcli.records.comparison import CallChange
from perfcli.reporters.html.svg import WIDTH, drawing, element, text, title
from perfcli.units import format_difference, format_duration, format_ratio

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
    whole_s = tree[0].cumulative_s
    label = f"Flame graph of one prediction of {format_duration(whole_s)}; the table of functions has its numbers."
    boxes = _visible(layout(tree))
    return _hang(boxes, label, (_draw(box, whole_s, "l" if box.node.library else None) for box in boxes))


def draw_flame_changes(changes: Sequence[CallChange]) -> Markup:
    """Draw the tree of a new run, coloured by how much longer or shorter each place takes than in the base."""
    by_place = {id(change.node): change for change in changes}
    whole_s = changes[0].node.cumulative_s
    boxes = _visible(layout([change.node for change in changes]))
    label = "Flame graph of the new run, coloured by the difference from the base; the table of what moved has numbers."
    parts = []
    for box in boxes:
        change = by_place[id(box.node)]
        words = f"\n{format_difference(change.difference_s)} from {format_duration(change.base_s)}"
        parts.append(_draw(box, whole_s, _shade(change.difference_s / whole_s), words))
    return _hang(boxes, label, parts)


def _shade(difference: float) -> str:
    """Return the class for a difference, given as a share of the whole."""
    for limit, class_ in ((0.03, "u2"), (0.005, "u1"), (-0.005, "z"), (-0.03, "d1")):
        if difference > limit:
            return class_
    return "d2"


def _visible(boxes: Sequence[Box]) -> list[Box]:
    wide = [box for box in boxes if box.width >= NARROWEST]
    return sorted(wide, key=lambda box: box.width, reverse=True)[:MOST_FRAMES]


def _hang(boxes: Sequence[Box], label: str, parts: Iterable[str]) -> Markup:
    return drawing((max(box.node.depth for box in boxes) + 1) * ROW, label, parts, class_="plot flame")


def _draw(box: Box, whole_s: float, class_: str | None, more: str = "") -> str:
    node = box.node
    place = f"\n{node.file}:{node.line}" if node.file else ""
    share = format_ratio(node.cumulative_s / whole_s)
    words = (
        f"{node.function}\n{format_duration(node.cumulative_s)}, {share}; itself {format_duration(node.self_s)}; "
        f"{node.calls:.3g} call{'s' * (node.calls != 1)}{more}{place}"
    )
    letters = int((box.width - 6) / LETTER)
    name = node.function if len(node.function) <= letters else f"{node.function[: letters - 1]}…"
    return element(
        "g",
        title(words),
        element("rect", x=box.left, y=box.top, width=box.width, height=ROW - 1),
        text(name, box.left + 3, box.top + 12.5) if letters >= 3 else "",
        class_=class_,
    )
