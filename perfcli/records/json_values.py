"""What every codec does with the values of a JSON object: keep those it knows, and leave out what was not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from perfcli.units import from_milliseconds, to_milliseconds


def known_fields(record: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the keys that are fields: a later version may have written more."""
    return {field.name: document[field.name] for field in fields(record)}


def ms_or_none(seconds: float | None) -> float | None:
    """Return milliseconds, as the JSON has them."""
    return None if seconds is None else to_milliseconds(seconds)


def s_or_none(milliseconds: float | None) -> float | None:
    """Return seconds, as the records have them."""
    return None if milliseconds is None else from_milliseconds(milliseconds)
