"""Find the steps of scikit-learn pipelines, in a model or in whatever holds one.

Containers are told by their fitted attributes, not by class: this needs no scikit-learn, and knows its imitators too.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

# Pipeline, ColumnTransformer, FeatureUnion: lists of (name, estimator, ...).
_PART_LISTS = ("steps", "transformers_", "transformer_list")
_NOT_HOLDERS = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, str, bytes, int, float)
# A service holds its pipeline near its surface; deeper lies the rest of the program.
_MAX_DEPTH = 3
_MAX_ITEMS = 64
_MAX_OBJECTS = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """An estimator that is a stage of the prediction.

    Attributes:
        name: Names of the steps from the outermost container, joined by `/`; a container that is no step of another
            has the name of its class.
        estimator: The fitted object.
    """

    name: str
    estimator: object


def find_steps(model: object) -> list[Step]:
    """Return every step of the pipelines in a model, containers before their parts; none when there is no pipeline.

    Looked at are the model itself, its attributes, what a function refers to in its module and its closure, and lists
    and dictionaries there. Of several pipelines only those that are fitted count, and the place of each becomes part
    of its steps' names.
    """
    found = list(_find_containers(model))
    if len(found) > 1:
        found = [(place, container) for place, container in found if _is_fitted(container)]
    steps: list[Step] = []
    seen: set[int] = set()
    for place, container in found:
        name = place if len(found) > 1 else type(container).__name__
        _collect(container, name, f"{place}/" if len(found) > 1 else "", steps, seen)
    return steps


def _collect(estimator: object, name: str, prefix: str, steps: list[Step], seen: set[int]) -> None:
    if id(estimator) in seen:
        return
    seen.add(id(estimator))
    steps.append(Step(name, estimator))
    # Parts that run in parallel overlap, and in another process no wrapper reports: such a container is one stage.
    if vars(estimator).get("n_jobs") not in (None, 1):
        return
    for part, inner in _parts(estimator):
        _collect(inner, f"{prefix}{part}", f"{prefix}{part}/", steps, seen)


def _parts(estimator: object) -> list[tuple[str, object]]:
    """Return the named parts of a container; empty for anything else."""
    for attribute in _PART_LISTS:
        parts = vars(estimator).get(attribute)
        if isinstance(parts, list) and parts and all(_is_part(part) for part in parts):
            # Strings such as 'passthrough' and 'drop' do no work of their own.
            return [(part[0], part[1]) for part in parts if hasattr(part[1], "__dict__")]
    return []


def _is_part(part: object) -> bool:
    return isinstance(part, tuple) and len(part) >= 2 and isinstance(part[0], str)


def _is_fitted(container: object) -> bool:
    check = getattr(container, "__sklearn_is_fitted__", None)
    return bool(check()) if callable(check) else True


def _find_containers(model: object) -> Iterator[tuple[str, object]]:
    """Search breadth first, so that the place nearest to the surface names a container; nothing is called or loaded."""
    level: list[tuple[str, object]] = [("", model)]
    seen: set[int] = set()
    for _ in range(_MAX_DEPTH + 1):
        deeper: list[tuple[str, object]] = []
        for place, candidate in level:
            if id(candidate) in seen or len(seen) >= _MAX_OBJECTS:
                continue
            seen.add(id(candidate))
            if hasattr(candidate, "__dict__") and _parts(candidate):
                yield place, candidate
            else:
                deeper.extend(_held(place, candidate))
        level = deeper


def _held(place: str, holder: object) -> list[tuple[str, object]]:
    if isinstance(holder, MethodType):
        return [(place, holder.__self__)]
    if isinstance(holder, FunctionType):
        return _referred_to(holder)
    if isinstance(holder, _NOT_HOLDERS):
        return []
    if isinstance(holder, dict):
        items = list(holder.items())[:_MAX_ITEMS]
        return [(f"{place}[{key}]", value) for key, value in items]
    if isinstance(holder, list | tuple):
        return [(f"{place}[{index}]", value) for index, value in enumerate(holder[:_MAX_ITEMS])]
    dot = f"{place}." if place else ""
    return [(f"{dot}{name}", value) for name, value in getattr(holder, "__dict__", {}).items()]


def _referred_to(function: FunctionType) -> list[tuple[str, object]]:
    """Return the globals and closure variables that a function names in its code."""
    try:
        closure = inspect.getclosurevars(inspect.unwrap(function))
    except ValueError:
        # A closure variable without a value yet, or decorators that wrap each other.
        return []
    return list({**closure.globals, **closure.nonlocals}.items())
