"""What a foreign model returns: answered as it is meant, or refused as the model's fault."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import httpx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

from perfcli.api.answers import to_answers
from perfcli.api.app import create_app
from perfcli.api.predictor import make_predictor
from perfcli.errors import ModelError
from perfcli.settings import Settings

MATRIX = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.5], [1.0, 0.5]])


class Returns:
    """A model that returns this, whatever the input."""

    def __init__(self, returned: object, **attributes: object) -> None:
        self._returned = returned
        self.__dict__.update(attributes)

    def predict(self, _rows: object) -> object:
        return self._returned


@pytest.mark.parametrize(
    ("returned", "answers"),
    [
        (np.array([1, 0]), [1, 0]),
        ((1, "b"), [1, "b"]),
        ((number for number in (1, 2)), [1, 2]),
        (pd.Series([True, False]), [True, False]),
        (pd.DataFrame({"first": [1, 2], "second": [0.5, 1.5]}), [[1.0, 0.5], [2.0, 1.5]]),
        ([np.int64(1), np.bool_(True)], [1, True]),
        ([np.float32(1.5), np.str_("x")], [1.5, "x"]),
        ([np.array([1, 2]), (np.int64(3), 4)], [[1, 2], [3, 4]]),
        (np.array([np.int64(1), "x"], dtype=object), [1, "x"]),
        ([Decimal("1.5"), 2], [1.5, 2]),
    ],
)
def test_answers_are_pythons_own_whatever_holds_them(returned: object, answers: list[object]) -> None:
    found = to_answers("predict", returned, 2)
    assert (found, [type(answer) for answer in found]) == (answers, [type(answer) for answer in answers])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("secret", "The model's predict returns str, not a list of answers."),
        (b"secret", "The model's predict returns bytes, not a list of answers."),
        ({"secret": 1}, "The model's predict returns dict, not a list of answers."),
        (None, "The model's predict returns NoneType, not a list of answers."),
        (987, "The model's predict returns int, not a list of answers."),
        (np.float64(987), "The model's predict returns float64, not a list of answers."),
        (np.array(987), "The model's predict returns ndarray, not a list of answers."),
        ([987], "The model's predict returns 1 answer for 2 rows."),
        ([987] * 4, "The model's predict returns 4 answers for 2 rows."),
        ([987, None], "The model's predict returns NoneType for row 2, not labels."),
        ([987, {"secret": 1}], "The model's predict returns dict for row 2, not labels."),
        (np.array([987j, 1]), "The model's predict returns complex for row 1, not labels."),
        ([1, dt.date(1987, 1, 1)], "The model's predict returns date for row 2, not labels."),
        (np.full((2, 2, 2), 987), "The model's predict returns a list of list for row 1, not labels."),
        (scipy.sparse.csr_matrix(np.eye(2)), "The model's predict returns csr_matrix for row 1, not labels."),
    ],
)
def test_what_is_no_answer_is_the_fault_of_the_model_without_a_value(returned: object, message: str) -> None:
    predictor = make_predictor(Returns(returned), "m")
    with pytest.raises(ModelError) as failed:
        predictor.call("predict", [{"a": 1.0}, {"a": 2.0}])
    assert str(failed.value) == message


def test_probabilities_of_several_outputs_are_refused_and_their_predictions_are_not() -> None:
    model = MultiOutputClassifier(LogisticRegression()).fit(MATRIX, [["a", "x"], ["b", "x"], ["a", "y"], ["b", "y"]])
    predictor = make_predictor(model, "m")
    assert predictor.classes is None
    assert predictor.call("predict", MATRIX[:2].tolist()) == [["a", "x"], ["b", "x"]]
    with pytest.raises(ModelError, match="predict_proba returns a list of list for row 1, not numbers"):
        predictor.call("predict_proba", MATRIX[:2].tolist())


def test_a_flat_list_is_one_row() -> None:
    model = LogisticRegression().fit(MATRIX, [0, 1, 0, 1])
    assert make_predictor(model, "m").call("predict", [1.0, 0.0]) == [1]


@pytest.mark.parametrize("names", [lambda: ["a"], "a", 3])
def test_feature_names_that_are_no_list_are_none(names: Callable[[], list[str]] | str | int) -> None:
    assert make_predictor(Returns([1], feature_names=names), "m").feature_names is None


def test_an_answer_of_the_wrong_kind_is_500_as_json() -> None:
    app = create_app(Settings(), model=Returns(None))

    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.post("/predict", json={"a": 1})

    answer = asyncio.run(post())
    assert (answer.status_code, answer.json()) == (
        500,
        {"detail": "The model's predict returns NoneType, not a list of answers."},
    )


def test_a_model_that_takes_rows_gets_one_as_a_list_of_one() -> None:
    class Counting:
        def predict(self, rows: list[object]) -> list[int]:
            return [0] * len(rows)

    predictor = make_predictor(Counting(), "m")
    assert predictor.call("predict", {"a": 1, "b": 2, "c": 3}) == [0]
    assert predictor.call("predict", [{"a": 1}, {"a": 2}]) == [0, 0]
