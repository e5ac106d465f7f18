"""A sweep to a JSON object and back: `perfcli/sweep/1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from perfcli.records.environment import Environment
from perfcli.records.json_values import known_fields, ms_or_none, s_or_none
from perfcli.records.profile import Advice, TargetDescription
from perfcli.records.sweep import SweepPoint, SweepResult
from perfcli.units import to_milliseconds

_DURATIONS = ("median", "ci_low", "ci_high")


def encode_sweep(result: SweepResult) -> dict[str, object]:
    """Return the JSON object of a sweep, without its schema."""
    return {**asdict(result), "points": [_encode_point(point) for point in result.points]}


def decode_sweep(document: Mapping[str, Any]) -> SweepResult:
    """Return the sweep that `encode_sweep` made this object of."""
    return SweepResult(
        **{
            **known_fields(SweepResult, document),
            "target": TargetDescription(**known_fields(TargetDescription, document["target"])),
            "environment": Environment(**known_fields(Environment, document["environment"])),
            "points": tuple(_decode_point(point) for point in document["points"]),
            "warnings": tuple(Advice(**known_fields(Advice, warning)) for warning in document["warnings"]),
        }
    )


def _encode_point(point: SweepPoint) -> dict[str, Any]:
    document = asdict(point)
    for name in _DURATIONS:
        document[f"{name}_ms"] = ms_or_none(document.pop(f"{name}_s"))
    return {**document, "row_ms": to_milliseconds(point.row_s)}


def _decode_point(document: Mapping[str, Any]) -> SweepPoint:
    plain = dict(document)
    for name in _DURATIONS:
        plain[f"{name}_s"] = s_or_none(plain.pop(f"{name}_ms"))
    return SweepPoint(**known_fields(SweepPoint, plain))
