"""The call tree for other viewers: speedscope's file format, and collapsed stacks as flame graph tools read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import orjson

from perfcli import __version__
from perfcli.errors import DeliveryError
from perfcli.records import ProfileResult
from perfcli.records.call_tree import CallNode
from perfcli.records.codec import Result

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


class CollapsedReporter:
    """Writes one line per stack: functions from the outermost on, joined by semicolons, and whole nanoseconds."""

    def write(self, result: Result, stream: TextIO) -> None:
        """Write the lines.

        Raises:
            DeliveryError: The result has no call tree.
        """
        stream.writelines(
            f"{';'.join(map(_frame_name, stack))} {nanoseconds}\n" for stack, nanoseconds in _stacks(_tree_of(result))
        )


def write_speedscope(result: Result, path: Path) -> None:
    """Write the call tree for https://www.speedscope.app: one sampled profile, its weights whole nanoseconds.

    Raises:
        DeliveryError: The result has no call tree.
        OSError: The file cannot be written.
    """
    tree = _tree_of(result)
    positions = {frame: position for position, frame in enumerate(dict.fromkeys(map(_frame, tree)))}
    stacks = list(_stacks(tree))
    weights = [nanoseconds for _, nanoseconds in stacks]
    document = {
        "$schema": SCHEMA,
        "exporter": f"perfcli {__version__}",
        "shared": {
            "frames": [
                {"name": name, **({"file": file, "line": line} if file else {})} for name, file, line in positions
            ]
        },
        "profiles": [
            {
                "type": "sampled",
                "name": "One prediction",
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": [[positions[_frame(node)] for node in stack] for stack, _ in stacks],
                "weights": weights,
            }
        ],
    }
    path.write_bytes(orjson.dumps(document))


def _stacks(tree: Sequence[CallNode]) -> Iterator[tuple[list[CallNode], int]]:
    """Yield every place with time of its own: the nodes from the outermost function to it, and its nanoseconds.

    The node for the whole prediction is left out.
    """
    stack: list[CallNode] = []
    for node in tree[1:]:
        stack[node.depth - 1 :] = [node]
        nanoseconds = round(node.self_s * 1e9)
        if nanoseconds:
            yield list(stack), nanoseconds


def _tree_of(result: Result) -> Sequence[CallNode]:
    if not isinstance(result, ProfileResult) or not result.call_tree:
        raise DeliveryError("the result has no call tree", "Record one with: perfcli profile -o run.json")
    return result.call_tree


def _frame(node: CallNode) -> tuple[str, str, int]:
    return node.function, node.file, node.line


def _frame_name(node: CallNode) -> str:
    """Name a function so that it can stand between semicolons, with the file that tells it from its namesakes."""
    name = f"{node.function} ({node.file}:{node.line})" if node.file else node.function
    return " ".join(name.replace(";", ",").split())
