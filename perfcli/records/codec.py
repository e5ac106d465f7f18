"""Every result to a JSON object and back, chosen by its `schema`.

A new kind of result is a line of `_KINDS` and a module beside this one; readers and reporters follow from there. What a
run does not need is not imported: of the time until the first table, that is a part that can be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from perfcli.records.value_types import check_types

if TYPE_CHECKING:
    from perfcli.records.capacity import CapacityResult
    from perfcli.records.comparison import Comparison
    from perfcli.records.load import LoadResult
    from perfcli.records.profile import ProfileResult
    from perfcli.records.sweep import SweepResult

Result: TypeAlias = "ProfileResult | LoadResult | Comparison | CapacityResult | SweepResult"
"""Any record of a run."""

_KINDS: Mapping[str, str] = {
    "ProfileResult": "profile",
    "LoadResult": "load",
    "Comparison": "comparison",
    "CapacityResult": "capacity",
    "SweepResult": "sweep",
}
"""The kind of each record: `load` has the schema `perfcli/load/1`, and its codec in `load_codec`."""

SCHEMAS: Mapping[str, str] = {f"perfcli/{kind}/1": kind for kind in _KINDS.values()}


class _Codec(NamedTuple):
    encode: Callable[[Any], dict[str, object]]
    decode: Callable[[Mapping[str, object]], Result]


def encode(result: Result) -> dict[str, object]:
    """Return the JSON object of a result; its first key is `schema`."""
    kind = _KINDS[type(result).__name__]
    return {"schema": f"perfcli/{kind}/1", **_codec(kind).encode(result)}


def decode(document: Mapping[str, object]) -> Result:
    """Return the result that `encode` made this object of; keys it does not know are ignored.

    Raises:
        ValueError: The schema is unknown, or a key is missing or of the wrong type.
    """
    schema = document.get("schema")
    if not isinstance(schema, str) or schema not in SCHEMAS:
        raise ValueError(f"unknown schema {schema!r}; known: {', '.join(SCHEMAS)}")
    try:
        result = _codec(SCHEMAS[schema]).decode(document)
        check_types(result)
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a {schema} record: {type(error).__name__} {error}") from error
    return result


def _codec(kind: str) -> _Codec:
    module = import_module(f"perfcli.records.{kind}_codec")
    return _Codec(getattr(module, f"encode_{kind}"), getattr(module, f"decode_{kind}"))
