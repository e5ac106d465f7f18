"""Every result to a JSON object and back, chosen by its `schema`.

A new kind of result adds its encoder and decoder to `CODECS`; readers and reporters follow from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from perfcli.records.capacity import CapacityResult
from perfcli.records.capacity_codec import decode_capacity, encode_capacity
from perfcli.records.comparison import Comparison
from perfcli.records.comparison_codec import decode_comparison, encode_comparison
from perfcli.records.load import LoadResult
from perfcli.records.load_codec import decode_load, encode_load
from perfcli.records.profile import ProfileResult
from perfcli.records.profile_codec import decode_profile, encode_profile
from perfcli.records.sweep import SweepResult
from perfcli.records.sweep_codec import decode_sweep, encode_sweep

Result: TypeAlias = ProfileResult | LoadResult | Comparison | CapacityResult | SweepResult
"""Any record of a run."""

R = TypeVar("R")


class Codec(NamedTuple, Generic[R]):
    """How one kind of result becomes a JSON object and comes back."""

    record: type[R]
    encode: Callable[[R], dict[str, object]]
    decode: Callable[[Mapping[str, object]], R]


CODECS: Mapping[str, Codec[Any]] = {
    "perfcli/profile/1": Codec(ProfileResult, encode_profile, decode_profile),
    "perfcli/load/1": Codec(LoadResult, encode_load, decode_load),
    "perfcli/comparison/1": Codec(Comparison, encode_comparison, decode_comparison),
    "perfcli/capacity/1": Codec(CapacityResult, encode_capacity, decode_capacity),
    "perfcli/sweep/1": Codec(SweepResult, encode_sweep, decode_sweep),
}


def encode(result: Result) -> dict[str, object]:
    """Return the JSON object of a result; its first key is `schema`."""
    for schema, codec in CODECS.items():
        if isinstance(result, codec.record):
            return {"schema": schema, **codec.encode(result)}
    raise ValueError(f"no schema for {type(result).__name__}")


def decode(document: Mapping[str, object]) -> Result:
    """Return the result that `encode` made this object of; keys it does not know are ignored.

    Raises:
        ValueError: The schema is unknown, or a key is missing or of the wrong type.
    """
    schema = document.get("schema")
    if not isinstance(schema, str) or schema not in CODECS:
        raise ValueError(f"unknown schema {schema!r}; known: {', '.join(CODECS)}")
    try:
        result: Result = CODECS[schema].decode(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a {schema} record: {type(error).__name__} {error}") from error
    return result
