"""Resolve the functions that a user names as stages, such as `features:engineer_features`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from perfcli.errors import ModelError, UsageError
from perfcli.targets.import_paths import import_object


@dataclass(frozen=True, slots=True)
class StageFunction:
    """A function that becomes a stage.

    Attributes:
        name: Name of the stage.
        original: The function itself.
        owner: Class or object that holds it as an attribute; None for a function of a module.
        attribute: Name under which its owner holds it.
    """

    name: str
    original: Callable[..., object]
    owner: object | None
    attribute: str


def resolve_stage_functions(paths: Sequence[str]) -> tuple[StageFunction, ...]:
    """Import the functions named as `module:function` or `module:Class.method`.

    Raises:
        UsageError: Nothing of that name, or nothing whose calls could be timed.
    """
    return tuple(_resolve(path) for path in dict.fromkeys(paths))


def _resolve(path: str) -> StageFunction:
    module, _, attributes = path.partition(":")
    owner_path, _, attribute = attributes.rpartition(".")
    try:
        original = import_object(path)
        owner = import_object(f"{module}:{owner_path}") if owner_path else None
    except (ModelError, UsageError) as error:
        raise UsageError(f"No stage '{path}': {error.message}", error.hint) from error
    if not callable(original) or isinstance(original, type | ModuleType):
        raise UsageError(f"The stage '{path}' is a {type(original).__name__}, not a function.", "Name a function.")
    if inspect.iscoroutinefunction(original) or inspect.isgeneratorfunction(original):
        raise UsageError(f"The stage '{path}' returns before its work is done.", "Name a plain function.")
    if owner is not None:
        original = _held_by(owner, attribute, original, path)
    return StageFunction(attributes, original, owner, attribute)


def _held_by(owner: object, attribute: str, found: Callable[..., object], path: str) -> Callable[..., object]:
    """Return what stands in the owner's own dictionary, which is what has to come back after the timing."""
    held = getattr(owner, "__dict__", {}).get(attribute)
    if isinstance(owner, type):
        if not inspect.isfunction(held):
            raise UsageError(
                f"'{path}' is no plain method of {owner.__name__} itself.", "Name the class that defines it."
            )
        return held
    if not hasattr(owner, "__dict__"):
        raise UsageError(f"'{path}' cannot be replaced for timing.", "Name the method of its class instead.")
    return found
