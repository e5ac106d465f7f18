"""Whether an answer is a prediction for what was asked: a wrong answer must count as a failure, not as a fast one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import orjson

_SUM_TOLERANCE = 1e-6


class Checks:
    """The checks of one run.

    Labels are looked for under `predictions` or `prediction`, or are the whole answer if that is a list; probabilities
    under `probabilities`. An answer of another form is only checked to be JSON, which has no NaN.
    """

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
        labels, probabilities = _labels(document), _probabilities(document)
        for values in (labels, probabilities):
            if self._rows and values is not None and len(values) != rows:
                return f"{len(values)} predictions for {rows} rows"
        problem = self._wrong_label(labels) if self._labels and labels is not None else None
        if problem is None and self._probabilities and probabilities is not None:
            problem = _wrong_row(probabilities)
        return problem

    def _wrong_label(self, labels: Sequence[object]) -> str | None:
        for label in labels:
            if label is None:
                return "a label is null"
            if self._classes and label not in self._classes:
                return f"label {label!r} is none of {list(self._classes)}"
        return None


def _wrong_row(table: Sequence[object]) -> str | None:
    for row in table:
        if not isinstance(row, list) or not all(isinstance(value, (int, float)) for value in row):
            return f"{row!r} are no probabilities"
        if min(row, default=0) < 0 or not math.isclose(sum(row), 1.0, rel_tol=0, abs_tol=_SUM_TOLERANCE):
            return f"probabilities {row} do not sum to 1"
    return None


def _labels(document: object) -> Sequence[object] | None:
    if isinstance(document, dict):
        document = document.get("predictions", document.get("prediction", _ABSENT))
        return None if document is _ABSENT else document if isinstance(document, list) else [document]
    return document if isinstance(document, list) else None


def _probabilities(document: object) -> Sequence[object] | None:
    table = document.get("probabilities") if isinstance(document, dict) else None
    return table if isinstance(table, list) else None


_ABSENT = object()
