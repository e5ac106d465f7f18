"""Whether an answer is a prediction for what was asked: a wrong answer must count as a failure, not as a fast one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import orjson

_SUM_TOLERANCE = 1e-6


class Checks:
    """The checks of one run; labels are looked for under `predictions` or `prediction`, or are the whole answer."""

    def __init__(self, names: Sequence[str], classes: Sequence[object]) -> None:
        self._rows = "rows" in names
        self._probabilities = "probabilities" in names
        self._labels = "labels" in names
        self._classes = tuple(classes)
        self.status = "status" in names
        self.content = self._rows or self._probabilities or self._labels

    def problem(self, content: bytes, rows: int) -> str | None:
        """Say what is wrong with the answer to this many rows; None when nothing is."""
        try:
            document = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            return f"the answer is no JSON: {error}"
        found = [values for values in (_values(document, key) for key in _KEYS) if values is not None]
        if not found:
            return "the answer holds neither predictions nor probabilities"
        for values in found:
            if self._rows and len(values) != rows:
                return f"{len(values)} predictions for {rows} rows"
            problem = self._wrong_row(values) if values and isinstance(values[0], list) else self._wrong_label(values)
            if problem is not None:
                return problem
        return None

    def _wrong_label(self, labels: Sequence[object]) -> str | None:
        if not self._labels:
            return None
        for label in labels:
            if label is None or (self._classes and label not in self._classes):
                return f"label {label!r} is none of {list(self._classes)}" if self._classes else "a label is null"
        return None

    def _wrong_row(self, table: Sequence[object]) -> str | None:
        if not self._probabilities:
            return None
        for row in table:
            if not isinstance(row, list) or not all(isinstance(value, (int, float)) for value in row):
                return f"{row!r} are no probabilities"
            if min(row, default=0) < 0 or not math.isclose(sum(row), 1.0, rel_tol=0, abs_tol=_SUM_TOLERANCE):
                return f"probabilities {row} do not sum to 1"
        return None


_KEYS = ("predictions", "prediction", "probabilities")


def _values(document: object, key: str) -> list[object] | None:
    if isinstance(document, dict):
        if key not in document:
            return None
        value = document[key]
    else:
        value = document if key == "predictions" else None
    return value if isinstance(value, list) or value is None else [value]
