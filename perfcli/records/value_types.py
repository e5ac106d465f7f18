"""Whether the values of a record are of the types its fields say: JSON may hold anything under the right key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Find = Callable[[Any], str | None]
"""Returns where a value is not what it should be, and what is there instead; None when all is well."""

SHOWN = 40
"""Characters of a wrong value."""


def check_types(record: object) -> None:
    """Check the fields of a dataclass, and of those in it.

    Raises:
        TypeError: A value is of another type; the message names its field and the way there.
    """
    kind: Any = type(record)
    fault = _finder(kind)(record)
    if fault is not None:
        raise TypeError(fault.removeprefix("."))


@cache
def _finder(annotation: Any) -> Find:
    """Return what finds the faults of values with this annotation; of the many values of a record it is made once."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if is_dataclass(annotation):
        return _in_fields(annotation)
    if origin is tuple:
        return _in_items(tuple, _finder(arguments[0]), enumerate)
    if origin is Mapping:
        return _in_items(Mapping, _finder(arguments[1]), lambda values: values.items())
    if origin in (Union, UnionType):
        known, nothing = arguments
        if nothing is not type(None):
            raise ValueError(f"{annotation} is not a type or None")
        find = _finder(known)
        return lambda value: None if value is None else find(value)
    if origin is Literal:
        return lambda value: None if value in arguments else _described(value, " or ".join(map(repr, arguments)))
    # Whole numbers of seconds are written without a point.
    accepted = (int, float) if annotation is float else annotation
    return lambda value: None if isinstance(value, accepted) else _described(value, annotation.__name__)


def _in_fields(record: Any) -> Find:
    finders = [(name, _finder(annotation)) for name, annotation in get_type_hints(record).items()]

    def find(value: Any) -> str | None:
        if not isinstance(value, record):
            return _described(value, record.__name__)
        for name, of_field in finders:
            fault = of_field(getattr(value, name))
            if fault is not None:
                return f".{name}{fault}"
        return None

    return find


def _in_items(kind: type, of_item: Find, items: Callable[[Any], Iterable[tuple[object, object]]]) -> Find:
    def find(value: Any) -> str | None:
        if not isinstance(value, kind):
            return _described(value, kind.__name__)
        for place, item in items(value):
            fault = of_item(item)
            if fault is not None:
                return f"[{place!r}]{fault}"
        return None

    return find


def _described(value: object, expected: str) -> str:
    return f" is {repr(value)[:SHOWN]}, not {expected}"
