"""Whether an answer is a prediction for what was asked: a wrong answer must count as a failure, not as a fast one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import orjson

from perfcli.units import format_count

_TOLERANCE = 1e-6


class Checks:
    """The checks of one run.

    Labels are looked for under `predictions` or `prediction`, or are the whole answer if that is a list; probabilities
    under `probabilities`. An answer of another form is only checked to be JSON, which has no NaN. What a form leaves
    open is no failure: several numbers in answer to one row may be one prediction, unless they are its `predictions`.
    """

    def __init__(self, names: Sequence[str], classes: Sequence[object]) -> None:
        self._rows = "rows" in names
        self._probabilities = "probabilities" in names
        self._sums = "sums" in names
        self._labels = "labels" in names
        self._classes = tuple(classes)
        self.status = "status" in names
        self.content = self._rows or self._probabilities or self._sums or self._labels

    def problem(self, content: bytes, rows: int | None) -> str | None:
        """Say what is wrong with the answer to this many rows, None if nobody knows; None when nothing is."""
        try:
            document = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            return f"the answer is no JSON: {error}"
        labels, probabilities = _labels(document), _probabilities(document)
        problem = None
        if self._rows:
            is_plural = isinstance(document, dict) and "predictions" in document
            problem = _wrong_count(labels, rows, is_one_each=is_plural) or _wrong_count(probabilities, rows)
        if problem is None and self._labels and labels is not None:
            problem = self._wrong_label(labels)
        if problem is None and probabilities is not None and (self._probabilities or self._sums):
            problem = _wrong_probabilities(probabilities, in_range=self._probabilities, sums=self._sums)
        return problem

    def _wrong_label(self, labels: Sequence[object]) -> str | None:
        for label in labels:
            if label is None:
                return "a label is null"
            if self._classes and label not in self._classes:
                return f"label {label!r} is none of {list(self._classes)}"
        return None


def _wrong_count(values: Sequence[object] | None, rows: int | None, *, is_one_each: bool = False) -> str | None:
    if values is None or len(values) == rows:
        return None
    if rows is None:
        return None if values else "no predictions"
    if rows == 1 and values and not is_one_each and not any(isinstance(value, list) for value in values):
        return None
    return f"{format_count(len(values), 'prediction')} for {format_count(rows, 'row')}"


def _wrong_probabilities(table: Sequence[object], *, in_range: bool, sums: bool) -> str | None:
    if not any(isinstance(row, (list, dict)) for row in table):
        # One number for each row, or one row: which of the two, and of how many labels, is not said.
        return _wrong_row(table, in_range=in_range, sums=False)
    return next(filter(None, (_wrong_row(row, in_range=in_range, sums=sums) for row in table)), None)


def _wrong_row(row: object, *, in_range: bool, sums: bool) -> str | None:
    values = list(row.values()) if isinstance(row, dict) else row
    if not isinstance(values, list) or not all(isinstance(value, (int, float, list)) for value in values):
        return f"{row!r} are no probabilities"
    numbers = [value for value in values if not isinstance(value, list)]
    if len(numbers) < len(values):
        return None  # Several outputs for each row: what would have to sum to 1 is not said.
    if in_range and not all(-_TOLERANCE <= number <= 1 + _TOLERANCE for number in numbers):
        return f"probabilities {row} are not all from 0 to 1"
    if sums and not math.isclose(sum(numbers), 1.0, rel_tol=0, abs_tol=_TOLERANCE):
        return f"probabilities {row} do not sum to 1"
    return None


def _labels(document: object) -> Sequence[object] | None:
    if isinstance(document, dict):
        found = document.get("predictions", document.get("prediction", _ABSENT))
        if found is _ABSENT or isinstance(found, dict):
            return None
        return found if isinstance(found, list) else [found]
    return document if isinstance(document, list) else None


def _probabilities(document: object) -> Sequence[object] | None:
    table = document.get("probabilities") if isinstance(document, dict) else None
    return table if isinstance(table, list) else None


_ABSENT = object()
