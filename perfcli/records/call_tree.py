"""The call tree of one prediction: every path from the outermost function down, with its time."""

from __future__ import annotations

from dataclasses import dataclass

OTHER = "(other)"
"""Name of what is too small to be listed, all together, below each node."""


@dataclass(frozen=True, slots=True)
class CallNode:
    """One function in one place of the tree, per prediction.

    A tree is a sequence of nodes: each is followed by what it calls, the most expensive first. The first, at depth 0,
    stands for the whole prediction.

    Attributes:
        function: Qualified name; a builtin under its real name.
        file: Source file relative to its package; empty for a builtin.
        line: First line of the function; 0 for a builtin.
        library: Installed, builtin or of Python itself, rather than the reader's own code.
        depth: Number of nodes above it.
        calls: Calls from this place in one prediction.
        self_s: Time in the function itself when called from this place, corrected if the overhead says so.
        cumulative_s: Time in it and in what it calls, corrected if the overhead says so.
    """

    function: str
    file: str
    line: int
    library: bool
    depth: int
    calls: float
    self_s: float
    cumulative_s: float
