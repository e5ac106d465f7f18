"""The call tree for other viewers and for the terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from perfcli.errors import DeliveryError
from perfcli.records.call_tree import CallNode
from perfcli.reporters import REPORTERS, View
from perfcli.reporters.call_tree import fold_libraries
from perfcli.reporters.stacks import write_speedscope
from perfcli.reporters.table import TableReporter

# What https://www.speedscope.app/file-format-schema.json asks of a file with one sampled profile.
SPEEDSCOPE = {
    "type": "object",
    "required": ["$schema", "profiles", "shared"],
    "properties": {
        "$schema": {"const": "https://www.speedscope.app/file-format-schema.json"},
        "exporter": {"type": "string"},
        "shared": {
            "required": ["frames"],
            "properties": {
                "frames": {
                    "items": {
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "file": {"type": "string"},
                            "line": {"type": "number"},
                            "col": {"type": "number"},
                        },
                    }
                }
            },
        },
        "profiles": {
            "items": {
                "required": ["endValue", "name", "samples", "startValue", "type", "unit", "weights"],
                "properties": {
                    "type": {"const": "sampled"},
                    "name": {"type": "string"},
                    "unit": {"enum": ["bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds"]},
                    "startValue": {"type": "number"},
                    "endValue": {"type": "number"},
                    "samples": {"items": {"type": "array", "items": {"type": "number"}}},
                    "weights": {"items": {"type": "number"}},
                },
            }
        },
    },
}


def node(function: str, depth: int, own_ms: float, whole_ms: float, *, library: bool = False) -> CallNode:
    return CallNode(function, f"{function}.py", 1, library, depth, 1.0, own_ms / 1e3, whole_ms / 1e3)


TREE = (
    CallNode("(prediction)", "", 0, False, 0, 1.0, 0.0, 0.010),
    node("root", 1, 0, 10),
    node("a", 2, 0, 5),
    node("c", 3, 4, 4),
    node("d", 3, 1, 1),
    node("b", 2, 0, 5),
    node("a", 3, 0, 5),
    node("d", 4, 4, 4),
    node("c", 4, 1, 1),
)
LIBRARIES = (
    CallNode("(prediction)", "", 0, False, 0, 1.0, 0.0, 0.010),
    node("predict", 1, 1, 10),
    node("Pipeline", 2, 1, 8, library=True),
    node("inner", 3, 2, 7, library=True),
    node("callback", 4, 4.95, 5, library=False),
    node("sum", 5, 0.05, 0.05, library=True),
    node("isinstance", 2, 1, 1, library=True),
)


@pytest.fixture
def result(profile_result):
    return replace(profile_result, call_tree=TREE)


def test_a_speedscope_file_is_valid_and_holds_each_stack_with_its_time(result, tmp_path: Path):
    file = tmp_path / "tree.json"
    write_speedscope(result, file)
    document = json.loads(file.read_bytes())
    Draft7Validator(SPEEDSCOPE).validate(document)
    names = [frame["name"] for frame in document["shared"]["frames"]]
    (profile,) = document["profiles"]
    stacks = {"/".join(names[frame] for frame in stack): weight
              for stack, weight in zip(profile["samples"], profile["weights"], strict=True)}  # fmt: skip
    assert stacks == {
        "root/a/c": 4_000_000, "root/a/d": 1_000_000, "root/b/a/d": 4_000_000, "root/b/a/c": 1_000_000,
    }  # fmt: skip
    assert (profile["startValue"], profile["endValue"]) == (0, 10_000_000)


@pytest.mark.parametrize("suffix", [".collapsed", ".folded"])
def test_collapsed_stacks_are_one_line_each(result, suffix: str):
    stream = io.StringIO()
    REPORTERS[suffix].write(result, stream)
    assert stream.getvalue().splitlines()[:2] == [
        "root (root.py:1);a (a.py:1);c (c.py:1) 4000000",
        "root (root.py:1);a (a.py:1);d (d.py:1) 1000000",
    ]


def test_a_semicolon_in_a_name_does_not_split_a_stack(result):
    stream = io.StringIO()
    odd = replace(result, call_tree=(TREE[0], replace(TREE[3], function="f;\n g", depth=1)))
    REPORTERS[".folded"].write(odd, stream)
    assert stream.getvalue() == "f, g (c.py:1) 4000000\n"


def test_a_result_without_a_call_tree_says_so(profile_result, tmp_path: Path):
    without = replace(profile_result, call_tree=None)
    with pytest.raises(DeliveryError, match="no call tree"):
        write_speedscope(without, tmp_path / "tree.json")
    with pytest.raises(DeliveryError, match="no call tree"):
        REPORTERS[".folded"].write(without, io.StringIO())


def test_calls_among_library_functions_are_folded_and_own_code_below_them_is_not():
    folded = [(node.function, node.depth) for node in fold_libraries(LIBRARIES)]
    assert folded == [("(prediction)", 0), ("predict", 1), ("Pipeline", 2), ("callback", 3), ("isinstance", 2)]


def shown(result) -> list[str]:
    stream = io.StringIO()
    TableReporter(View(tree=True)).write(result, stream)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return lines[next(n for n, line in enumerate(lines) if line.startswith("Call tree")) :]


def test_the_tree_is_drawn_with_its_shares(result):
    assert shown(replace(result, call_tree=LIBRARIES))[1:6] == [
        "100.0 %  10.0 ms  (prediction)",
        "100.0 %  10.0 ms  └─ predict  predict.py:1",
        " 80.0 %  8.00 ms     ├─ Pipeline  Pipeline.py:1",
        " 50.0 %  5.00 ms     │  └─ callback  callback.py:1",
        " 10.0 %  1.00 ms     └─ isinstance  isinstance.py:1",
    ]


def test_the_tree_is_shown_when_asked_for(result):
    for view, expected in ((View(), False), (View(tree=True), True)):
        stream = io.StringIO()
        TableReporter(view).write(result, stream)
        assert ("Call tree" in stream.getvalue()) is expected
