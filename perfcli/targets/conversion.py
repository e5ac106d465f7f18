"""Make of a payload what an estimator takes: a DataFrame in the order it was fitted on, or a matrix of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias, cast

from perfcli.errors import MissingExtraError, PayloadError
from perfcli.payloads import Payload, check_columns
from perfcli.units import format_count

_Row: TypeAlias = dict[str, object] | list[object]


def is_estimator(model: object) -> bool:
    """Tell whether a model follows scikit-learn's convention, whichever library made it."""
    if any(hasattr(model, attribute) for attribute in ("feature_names_in_", "n_features_in_")):
        return True
    # By name, because importing scikit-learn takes a second that a model without it should not wait for.
    return any(base.__name__ == "BaseEstimator" and base.__module__ == "sklearn.base" for base in type(model).__mro__)


def to_model_input(model: object, payload: Payload) -> object:
    """Convert for an estimator; anything else takes the payload as it is.

    Raises:
        PayloadError: A column, the number of columns, or the type of a value does not fit the model.
        MissingExtraError: The estimator wants a DataFrame, and pandas is not installed.
    """
    if not is_estimator(model):
        return payload
    rows = _rows(payload)
    names = _feature_names(model)
    columns = _columns(rows, names)
    width = len(rows[0]) if columns is None else len(columns)
    count: int = getattr(model, "n_features_in_", width) if names is None else len(names)
    if width != count:
        raise PayloadError(f"The payload has {format_count(width, 'column')}, and the model takes {count}.")
    _reject_nested(rows)
    if names is None and (columns is None or hasattr(model, "n_features_in_")):
        return _matrix(rows, columns)
    return _frame(rows, names or columns)


def unusable_value(payload: Payload, error: Exception) -> str | None:
    """Describe the value a model complains of, such as `column 'age' is text, 'abc'`; None when it is not to be found.

    Text and null are right for some models and wrong for others, so only the error of the model can tell.
    """
    complaint = str(error)
    misses_number = "NaN" in complaint or "NoneType" in complaint
    for number, row in enumerate(_rows(payload), start=1):
        for column, value in _cells(row):
            place = f"column {column!r}" if isinstance(payload, dict) else f"row {number}, column {column!r}"
            if isinstance(value, str) and repr(value) in complaint:
                return f"{place} is text, {value!r}"
            if value is None and misses_number:
                return f"{place} has no value"
    return None


def _rows(payload: Payload) -> list[_Row]:
    return cast(list[_Row], [payload] if isinstance(payload, dict) else payload)


def _cells(row: _Row) -> Iterable[tuple[object, object]]:
    """Return the values of a row with their columns; those of a matrix count from 1."""
    return row.items() if isinstance(row, dict) else enumerate(row, start=1)


def _feature_names(model: object) -> list[str] | None:
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _columns(rows: Sequence[_Row], names: Sequence[str] | None) -> Sequence[str] | None:
    """Return the columns of rows that are objects, checked, in the order of the model; None for a matrix."""
    first = rows[0]
    if not isinstance(first, dict):
        return None
    # A model fitted on a matrix knows no names: what the first row says is the order, and the others have to agree.
    columns = names or list(first)
    for number, row in enumerate(rows, start=1):
        try:
            check_columns(cast(dict[str, object], row), columns)
        except PayloadError as error:
            where = f"Row {number}: " if len(rows) > 1 else ""
            raise PayloadError(f"{where}{error.message}", error.hint) from None
    return columns


def _reject_nested(rows: Sequence[_Row]) -> None:
    for number, row in enumerate(rows, start=1):
        for column, value in _cells(row):
            if isinstance(value, list | dict):
                kind = "a list" if isinstance(value, list) else "an object"
                message = f"Row {number}: column {column!r} is {kind}, not a single value."
                raise PayloadError(message, "A row is flat: one value a column.")


def _frame(rows: Sequence[_Row], columns: Sequence[str] | None) -> object:
    try:
        import pandas as pd
    except ModuleNotFoundError:
        raise MissingExtraError("A model that takes named columns", "model") from None
    frame = pd.DataFrame(rows, columns=None if columns is None else list(columns))
    # Missing text is NaN wherever pandas reads a file, and so it was when the model was fitted; of None pandas makes
    # NaN only beside values that tell the type.
    for column in frame.columns:
        if frame[column].dtype == "object" and frame[column].isna().any():
            values = [math.nan if value is None else value for value in frame[column]]
            frame[column] = pd.Series(values, dtype=object)
    return frame


def _matrix(rows: Sequence[_Row], columns: Sequence[str] | None) -> object:
    import numpy as np

    cells = [[row[column] for column in columns or ()] if isinstance(row, dict) else list(row) for row in rows]
    holds_text = any(isinstance(cell, str) for row in cells for cell in row)
    return np.array(cells, dtype=object if holds_text else np.float64)
