from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from perfcli.records.codec import decode
from perfcli.records.value_types import check_types

RECORDED = {kind: (Path(__file__).parents[2] / f"golden/{kind}.json").read_text() for kind in ("load", "profile")}


@dataclass(frozen=True)
class Inner:
    length_s: float


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    by_name: Mapping[str, int] | None = None
    outcome: Literal["pass", "fail"] = "pass"
    sure: bool = True


def outer(**values: Any) -> Outer:
    return Outer(**{"name": "a", **values})


@pytest.mark.parametrize(
    "record",
    [
        outer(),
        outer(inner=Inner(2), many=(Inner(1.5), Inner(0))),
        outer(by_name={"a": 1}, outcome="fail", sure=False),
    ],
)
def test_values_of_the_right_types_pass(record: Outer) -> None:
    check_types(record)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": None}, "name is None, not str"),
        ({"inner": Inner("6")}, "inner.length_s is '6', not float"),  # type: ignore[arg-type]
        ({"inner": 5}, "inner is 5, not Inner"),
        ({"many": (Inner(1), Inner([]))}, "many[1].length_s is [], not float"),  # type: ignore[arg-type]
        ({"many": "text"}, "many is 'text', not tuple"),
        ({"by_name": {"/a": 1, "/b": 2.5}}, "by_name['/b'] is 2.5, not int"),
        ({"by_name": [1]}, "by_name is [1], not Mapping"),
        ({"outcome": "x" * 100}, f"outcome is '{'x' * 39}, not 'pass' or 'fail'"),
        ({"sure": 1}, "sure is 1, not bool"),
    ],
)
def test_value_of_another_type_is_named_with_the_way_to_it(values: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError) as raised:
        check_types(outer(**values))
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("kind", "keys", "value", "message"),
    [
        ("load", ("load", "url"), None, "url is None, not str"),
        ("load", ("window", "elapsed_s"), "6", "window.elapsed_s is '6', not float"),
        ("load", ("seconds", 0, "failure_kinds"), None, "failure_kinds is None, not Mapping"),
        ("load", ("total", "requests"), None, "total.requests is None, not int"),
        ("profile", ("environment", "cpus"), "many", "environment.cpus is 'many', not int"),
        ("profile", ("partial",), None, "partial is None, not bool"),
    ],
)
def test_record_with_a_value_of_another_type_is_refused(
    kind: str, keys: tuple[str | int, ...], value: object, message: str
) -> None:
    document = json.loads(RECORDED[kind])
    *above, last = keys
    place = document
    for key in above:
        place = place[key]
    place[last] = value
    with pytest.raises(ValueError, match=f"not a perfcli/{kind}/1 record: TypeError .*{message}"):
        decode(document)


def test_position_outside_of_the_functions_of_a_call_tree_is_refused() -> None:
    document = json.loads(RECORDED["profile"])
    document["call_tree"] = {"functions": [], "nodes": [[0, 3, 1.0, 1.0, 1.0]]}
    with pytest.raises(ValueError, match="not a perfcli/profile/1 record: IndexError"):
        decode(document)
