"""What a model returned as JSON can carry it: one answer for each row, or the model's fault and never the client's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import Protocol, cast

from perfcli.errors import ModelError
from perfcli.units import format_count

_LABELS = (bool, int, float, str)


class _Array(Protocol):
    def tolist(self) -> object: ...


class _Frame(Protocol):
    def to_numpy(self) -> _Array: ...


def to_answers(method: str, returned: object, rows: int) -> list[object]:
    """Return an answer for each row: a label or several from `predict`, numbers from `predict_proba`.

    Raises:
        ModelError: It is something else, or not as many; the text quotes no value.
    """
    answers = to_list(returned)
    if answers is None:
        raise ModelError(f"The model's {method} returns {type(returned).__name__}, not a list of answers.")
    if len(answers) != rows:
        found, wanted = format_count(len(answers), "answer"), format_count(rows, "row")
        raise ModelError(f"The model's {method} returns {found} for {wanted}.")
    fits, wanted = (_is_probabilities, "numbers") if method == "predict_proba" else (_is_prediction, "labels")
    for number, answer in enumerate(answers, start=1):
        if not fits(answer):
            raise ModelError(f"The model's {method} returns {_kind(answer)} for row {number}, not {wanted}.")
    return answers


def to_list(values: object) -> list[object] | None:
    """Return the elements of an array, a frame or any other collection as Python's own types.

    None for what is no collection of answers: text has letters, and a mapping has keys.
    """
    # An iteration over a frame would be one over the names of its columns.
    if hasattr(values, "to_numpy"):
        values = cast(_Frame, values).to_numpy()
    if hasattr(values, "tolist"):
        values = cast(_Array, values).tolist()
    # The type of numpy scalars and of sparse matrices says nothing; a 0-d array is by now a scalar.
    if isinstance(values, str | bytes | bytearray | Mapping | Set) or not isinstance(values, Iterable):
        return None
    return [_plain(value) for value in values]


def is_label(value: object) -> bool:
    """Tell whether JSON can carry it as one answer."""
    return isinstance(value, _LABELS)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    # numpy's scalars have it like its arrays; some of them are also a float or a text.
    if hasattr(value, "tolist"):
        return cast(_Array, value).tolist()
    return float(value) if isinstance(value, Decimal) else value


def _is_prediction(answer: object) -> bool:
    return is_label(answer) or (isinstance(answer, list) and all(is_label(label) for label in answer))


def _is_probabilities(answer: object) -> bool:
    return isinstance(answer, list) and all(isinstance(number, int | float) for number in answer)


def _kind(answer: object) -> str:
    if not isinstance(answer, list):
        return type(answer).__name__
    return "a list of " + " and ".join(sorted({type(element).__name__ for element in answer}))
