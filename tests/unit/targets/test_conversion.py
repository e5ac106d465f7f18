"""What an estimator is given for each shape of payload."""

from __future__ import annotations

import io
import sys
from typing import cast

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from perfcli.errors import MissingExtraError, PayloadError
from perfcli.payloads import Payload, check_columns
from perfcli.targets.conversion import is_estimator, to_model_input, unusable_value

FRAME = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "income": [4.0, 3.0, 2.0, 1.0], "debt": [0.0, 1.0, 0.0, 1.0]})
TARGET = [0, 0, 1, 1]
NAMED = LogisticRegression().fit(FRAME, TARGET)
UNNAMED = LogisticRegression().fit(FRAME.to_numpy(), TARGET)


def frame_of(model: object, payload: Payload) -> pd.DataFrame:
    frame = to_model_input(model, payload)
    assert isinstance(frame, pd.DataFrame)
    return frame


def matrix_of(model: object, payload: Payload) -> np.ndarray:
    matrix = to_model_input(model, payload)
    assert isinstance(matrix, np.ndarray)
    return matrix


def test_a_row_becomes_a_frame_in_the_order_of_the_model() -> None:
    frame = frame_of(NAMED, {"debt": 3, "age": 1, "income": 2.5})
    assert list(frame.columns) == ["age", "income", "debt"]
    assert frame.to_numpy().tolist() == [[1, 2.5, 3]]


def test_a_pipeline_takes_the_names_of_its_first_step() -> None:
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(FRAME, TARGET)
    assert list(frame_of(model, {"debt": 3, "age": 1, "income": 2}).columns) == ["age", "income", "debt"]


def test_a_matrix_for_a_model_with_names_gets_the_names() -> None:
    frame = frame_of(NAMED, [[1, 2, 3], [4, 5, 6]])
    assert frame.to_dict("list") == {"age": [1, 4], "income": [2, 5], "debt": [3, 6]}


def test_a_model_without_names_gets_a_matrix_of_floats() -> None:
    matrix = matrix_of(UNNAMED, [[1, 2, 3], [4, 5, 6]])
    assert matrix.dtype == np.float64
    assert matrix.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_rows_for_a_model_without_names_keep_the_order_of_the_first() -> None:
    assert matrix_of(UNNAMED, [{"b": 1, "a": 2, "c": 3}, {"c": 6, "b": 4, "a": 5}]).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_null_is_a_missing_number() -> None:
    matrix = matrix_of(UNNAMED, [[1, None, 3]])
    assert np.isnan(matrix[0, 1])
    assert matrix[0, [0, 2]].tolist() == [1, 3]


def test_text_is_kept_for_a_model_that_encodes_it() -> None:
    encoder = OneHotEncoder().fit(np.array([["red"], ["blue"]], dtype=object))
    assert matrix_of(encoder, [["red"]]).tolist() == [["red"]]


def test_a_stateless_estimator_takes_the_columns_as_they_come() -> None:
    assert frame_of(FunctionTransformer(), {"b": 1, "a": 2}).to_dict("list") == {"b": [1], "a": [2]}
    assert matrix_of(FunctionTransformer(), [[1, 2]]).tolist() == [[1, 2]]


def test_anything_that_is_no_estimator_takes_the_payload_itself() -> None:
    payload: Payload = {"anything": [1]}
    assert to_model_input(len, payload) is payload
    assert not is_estimator(object())
    assert is_estimator(FunctionTransformer())


@pytest.mark.parametrize("row", [{"age": 1, "incom": 2, "debt": 3}, {"age": 1, "debt": 3}, {}])
def test_a_wrong_column_is_named_with_the_row_it_is_in(row: dict[str, object]) -> None:
    with pytest.raises(PayloadError) as expected:
        check_columns(row, ["age", "income", "debt"])
    right = {"age": 1, "income": 2, "debt": 3}
    for payload, where in ((row, ""), ([row], ""), ([right, row], "Row 2: ")):
        with pytest.raises(PayloadError) as caught:
            to_model_input(NAMED, payload)
        assert caught.value.message == f"{where}{expected.value.message}"
        assert caught.value.hint == expected.value.hint


@pytest.mark.parametrize(
    ("model", "payload", "message", "hint"),
    [
        (NAMED, [[1, 2]], "The payload has 2 columns, and the model takes 3.", ""),
        (UNNAMED, [[1, 2, 3, 4]], "The payload has 4 columns, and the model takes 3.", ""),
        (UNNAMED, {"a": 1}, "The payload has 1 column, and the model takes 3.", ""),
        (
            NAMED,
            [{"age": [1], "income": 2, "debt": 3}],
            "Row 1: column 'age' is a list, not a single value.",
            "A row is flat: one value a column.",
        ),
        (
            UNNAMED,
            [[1, 2, 3], [1, {}, 3]],
            "Row 2: column 2 is an object, not a single value.",
            "A row is flat: one value a column.",
        ),
    ],
)
def test_what_does_not_fit_is_named(model: object, payload: Payload, message: str, hint: str) -> None:
    with pytest.raises(PayloadError) as caught:
        to_model_input(model, payload)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_gap_is_given_to_a_model_as_pandas_reads_it_from_a_file() -> None:
    table = pd.read_csv(io.StringIO("size,kind\n1,x\n,y\n3,\n,x\n5,\n6,y\n"))
    columns = ColumnTransformer([("size", SimpleImputer(), ["size"]), ("kind", OneHotEncoder(), ["kind"])])
    model = make_pipeline(columns, LinearRegression()).fit(table, range(6))
    expected = model.predict(table).tolist()
    rows: list[object] = [
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in table.to_dict("records")
    ]
    assert model.predict(to_model_input(model, rows)).tolist() == expected
    assert [model.predict(to_model_input(model, [row])).item() for row in rows] == pytest.approx(expected)


def test_names_without_pandas_are_answered_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError) as caught:
        to_model_input(NAMED, [[1, 2, 3]])
    assert caught.value.hint == "Install them with: pip install 'perfcli[model]'"


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ({"age": "old", "income": 2, "debt": 3}, "column 'age' is text, 'old'"),
        ([[1, 2, 3], [1, "x", 3]], "row 2, column 2 is text, 'x'"),
        ({"age": 1, "income": None, "debt": 3}, "column 'income' has no value"),
        ([{"age": 1, "income": 3, "debt": None}], "row 1, column 'debt' has no value"),
        ({"age": 1, "income": 2, "debt": 3}, None),
    ],
)
def test_the_value_a_model_complains_of_is_found(payload: Payload, place: str | None) -> None:
    error: Exception = ValueError("nothing of the payload")
    try:
        NAMED.predict(to_model_input(NAMED, payload))
    except (ValueError, TypeError) as raised:
        error = raised
    assert unusable_value(payload, error) == place


def test_a_text_the_model_did_not_complain_of_is_not_blamed() -> None:
    frame = pd.DataFrame({"colour": ["red", "blue"], "shape": ["round", "flat"]})
    model = ColumnTransformer([("encode", OneHotEncoder(), ["colour", "shape"])]).fit(frame)
    payload: dict[str, object] = {"colour": "red", "shape": "oval"}
    with pytest.raises(ValueError, match="oval") as caught:
        model.transform(to_model_input(model, payload))
    assert unusable_value(cast(Payload, payload), caught.value) == "column 'shape' is text, 'oval'"
