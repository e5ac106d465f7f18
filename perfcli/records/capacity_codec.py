"""A search for capacity to a JSON object and back: `perfcli/capacity/1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from perfcli.records.capacity import CapacityResult, Probe, WorkerSetting
from perfcli.records.environment import Environment
from perfcli.records.json_values import known_fields, ms_or_none, s_or_none
from perfcli.records.profile import Advice
from perfcli.records.verdict import SloVerdict

_LATENCIES = ("p50", "p95", "p99")


def encode_capacity(result: CapacityResult) -> dict[str, object]:
    """Return the JSON object of a search, without its schema."""
    return {
        **asdict(result),
        "probes": [_encode_probe(probe) for probe in result.probes],
        "settings": [
            {**asdict(setting), "probes": [_encode_probe(probe) for probe in setting.probes]}
            for setting in result.settings
        ],
    }


def decode_capacity(document: Mapping[str, Any]) -> CapacityResult:
    """Return the search that `encode_capacity` made this object of."""
    return CapacityResult(
        **{
            # Older records have none of these keys.
            **known_fields(CapacityResult, {"workers": None, "settings": (), "held": document["capacity"], **document}),
            "slos": tuple(document["slos"]),
            "environment": Environment(**known_fields(Environment, document["environment"])),
            "probes": tuple(_decode_probe(probe) for probe in document["probes"]),
            "warnings": tuple(Advice(**known_fields(Advice, warning)) for warning in document["warnings"]),
            "settings": tuple(_decode_setting(setting) for setting in document.get("settings", ())),
        }
    )


def _encode_probe(probe: Probe) -> dict[str, Any]:
    document = asdict(probe)
    for name in _LATENCIES:
        document[f"{name}_ms"] = ms_or_none(document.pop(f"{name}_s"))
    return document


def _decode_setting(document: Mapping[str, Any]) -> WorkerSetting:
    probes = tuple(_decode_probe(probe) for probe in document["probes"])
    return WorkerSetting(
        **{**known_fields(WorkerSetting, {"held": document["capacity"], **document}), "probes": probes}
    )


def _decode_probe(document: Mapping[str, Any]) -> Probe:
    plain = dict(document)
    for name in _LATENCIES:
        plain[f"{name}_s"] = s_or_none(plain.pop(f"{name}_ms"))
    plain["verdicts"] = tuple(SloVerdict(**known_fields(SloVerdict, verdict)) for verdict in plain["verdicts"])
    return Probe(**known_fields(Probe, plain))
