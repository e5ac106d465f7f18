"""A comparison to a JSON object and back: `perfcli/comparison/1`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from perfcli.records.call_tree_codec import decode_call_tree, encode_call_tree
from perfcli.records.comparison import (
    BothDistributions,
    CallChange,
    ComparedRun,
    Comparison,
    FailureChange,
    MetricChange,
    Movement,
    Turn,
)
from perfcli.records.json_values import known_fields
from perfcli.records.profile import Advice
from perfcli.units import from_milliseconds, to_milliseconds


def encode_comparison(comparison: Comparison) -> dict[str, object]:
    """Return the JSON object of a comparison, without its schema."""
    return {
        **asdict(comparison),
        "turns": [_encode_turn(turn) for turn in comparison.turns],
        "metrics": [_in_ms(asdict(metric)) for metric in comparison.metrics],
        "moved": [
            {**_in_ms(asdict(movement)), "difference_ms": to_milliseconds(movement.difference_s)}
            for movement in comparison.moved
        ],
        "call_tree": {
            **encode_call_tree([change.node for change in comparison.call_tree]),
            "base_ms": [to_milliseconds(change.base_s) for change in comparison.call_tree],
        },
        "distributions": None if comparison.distributions is None else _in_ms(asdict(comparison.distributions)),
    }


def decode_comparison(document: Mapping[str, Any]) -> Comparison:
    """Return the comparison that `encode_comparison` made this object of."""
    # Records of the first versions have none of these.
    tree, counted, failures = (document.get(name) for name in _LATER)
    plain = {field.name: document[field.name] for field in fields(Comparison) if field.name not in _LATER}
    return Comparison(
        **{
            **plain,
            "base": ComparedRun(**known_fields(ComparedRun, document["base"])),
            "new": ComparedRun(**known_fields(ComparedRun, document["new"])),
            "turns": tuple(_decode_turn(turn) for turn in document["turns"]),
            "metrics": tuple(MetricChange(**_from_ms(MetricChange, metric)) for metric in document["metrics"]),
            "moved": tuple(Movement(**_from_ms(Movement, movement)) for movement in document["moved"]),
            "differences": tuple(document["differences"]),
            "warnings": tuple(Advice(**known_fields(Advice, warning)) for warning in document["warnings"]),
            "call_tree": () if tree is None else _decode_tree(tree),
            "distributions": None if counted is None else _decode_distributions(counted),
            "failures": None if failures is None else FailureChange(**known_fields(FailureChange, failures)),
        }
    )


_LATER = ("call_tree", "distributions", "failures")


def _encode_turn(turn: Turn) -> dict[str, object]:
    return {
        "base_ms": [*map(to_milliseconds, turn.base_s)],
        "new_ms": [*map(to_milliseconds, turn.new_s)],
        "payloads": turn.payloads,
    }


def _decode_turn(document: Mapping[str, Any]) -> Turn:
    return Turn(_durations(document["base_ms"]), _durations(document["new_ms"]), document.get("payloads", 1))


def _decode_distributions(document: Mapping[str, Any]) -> BothDistributions:
    found = _from_ms(BothDistributions, document)
    return BothDistributions(**{**found, "base": tuple(found["base"]), "new": tuple(found["new"])})


def _decode_tree(document: Mapping[str, Any]) -> tuple[CallChange, ...]:
    nodes = zip(decode_call_tree(document), document["base_ms"], strict=True)
    return tuple(CallChange(node, from_milliseconds(base_ms)) for node, base_ms in nodes)


def _in_ms(document: Mapping[str, Any]) -> dict[str, Any]:
    """Write the keys that end in `_s` as milliseconds."""
    return {
        f"{key[:-2]}_ms" if key.endswith("_s") else key: to_milliseconds(value) if key.endswith("_s") else value
        for key, value in document.items()
    }


def _from_ms(record: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field.name: from_milliseconds(document[f"{field.name[:-2]}_ms"])
        if field.name.endswith("_s")
        else document[field.name]
        for field in fields(record)
    }


def _durations(milliseconds: Iterable[float]) -> tuple[float, ...]:
    return tuple(map(from_milliseconds, milliseconds))
