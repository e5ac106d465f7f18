"""A call tree to a JSON object and back: functions are written once, nodes refer to them by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfcli.records.call_tree import CallNode
from perfcli.units import from_milliseconds, to_milliseconds


def encode_call_tree(tree: Sequence[CallNode]) -> dict[str, object]:
    """Return the functions, and a row of five numbers for each node: see `columns`."""
    positions: dict[tuple[str, str, int, bool], int] = {}
    rows = [
        [
            node.depth,
            positions.setdefault((node.function, node.file, node.line, node.library), len(positions)),
            round(node.calls, 4),
            to_milliseconds(node.self_s),
            to_milliseconds(node.cumulative_s),
        ]
        for node in tree
    ]
    return {
        "functions": [
            {"function": function, "file": file, "line": line, "library": library}
            for function, file, line, library in positions
        ],
        "columns": ["depth", "function", "calls", "self_ms", "cumulative_ms"],
        "nodes": rows,
    }


def decode_call_tree(document: Mapping[str, Any]) -> tuple[CallNode, ...]:
    """Return the tree that `encode_call_tree` made this object of."""
    functions = document["functions"]
    return tuple(
        CallNode(
            function=functions[position]["function"],
            file=functions[position]["file"],
            line=functions[position]["line"],
            library=functions[position]["library"],
            depth=depth,
            calls=calls,
            self_s=from_milliseconds(own),
            cumulative_s=from_milliseconds(cumulative),
        )
        for depth, position, calls, own, cumulative in document["nodes"]
    )
