"""The type of a request body, made from the feature names of a model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression

from perfcli.api.predictor import make_predictor
from perfcli.api.schemas import input_schema
from perfcli.errors import ModelError, PayloadError
from perfcli.patient_model import patient_model
from perfcli.targets.local import EMBEDDED_MODEL

X = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "copy": [0.0, 1.0, 0.0, 1.0], "mean radius (mm)": [3.0, 2.0, 1.0, 0.0]})
Y = np.array(["no", "no", "yes", "yes"])
ROW = {"age": 1.0, "copy": 0.0, "mean radius (mm)": 3.0}


@pytest.fixture(scope="module")
def named() -> LogisticRegression:
    return LogisticRegression().fit(X, Y)


@pytest.fixture(scope="module")
def nameless() -> LogisticRegression:
    return LogisticRegression().fit(X.to_numpy(), Y)


def _locations(model: object, body: object) -> list[tuple[object, ...]]:
    with pytest.raises(ValidationError) as refused:
        input_schema(make_predictor(model, "m"), 2).model_validate(body)
    return [problem["loc"] for problem in refused.value.errors()]


def test_a_row_keeps_the_names_of_the_model_whatever_they_are(named: LogisticRegression) -> None:
    schema = input_schema(make_predictor(named, "m"), 2)
    assert schema.model_validate(ROW).to_payload() == ROW
    assert schema.model_validate([ROW, ROW]).to_payload() == [ROW, ROW]


def test_a_column_too_many_or_too_few_is_named(named: LogisticRegression) -> None:
    assert _locations(named, {**ROW, "extra": 1}) == [("row", "extra")]
    assert _locations(named, [ROW, {"age": 1.0, "copy": 0.0}]) == [("rows", 1, "mean radius (mm)")]


def test_a_batch_is_bounded_on_both_sides(named: LogisticRegression) -> None:
    assert _locations(named, []) == [("rows",)]
    assert _locations(named, [ROW] * 3) == [("rows",)]


def test_a_batch_is_refused_at_its_first_wrong_row(named: LogisticRegression) -> None:
    assert _locations(named, [{**ROW, "extra": 1}, {}]) == [("rows", 0, "extra")]


def test_a_hundred_unknown_columns_are_named_and_more_are_counted(named: LogisticRegression) -> None:
    extra = {f"x{number}": 1 for number in range(101)}
    assert _locations(named, {**ROW, **extra}) == [("row",)]
    extra.popitem()
    assert _locations(named, {**ROW, **extra}) == [("row", name) for name in extra]


def test_a_model_without_names_takes_rows_and_matrices(nameless: LogisticRegression) -> None:
    schema = input_schema(make_predictor(nameless, "m"), 2)
    for body in ([1.0, 0.0, 3.0], [[1.0, 0.0, 3.0], [2.0, 1.0, 2.0]], ROW, [ROW]):
        assert schema.model_validate(body).to_payload() == body


def test_a_row_without_values_is_no_row_of_a_model_without_names(nameless: LogisticRegression) -> None:
    assert ("row",) in {location[:1] for location in _locations(nameless, [])}


def test_the_bounds_of_a_measurement_are_those_of_the_patient_model() -> None:
    schema = input_schema(make_predictor(patient_model, EMBEDDED_MODEL), 2)
    patient = dict.fromkeys(patient_model.feature_names, 1.0)
    for accepted in (0, 1_000_000):
        payload = schema.model_validate({**patient, "mean_area": accepted}).to_payload()
        assert patient_model.predict(payload) in ([0], [1])
    for refused in (-1e-9, 1_000_000.1):
        with pytest.raises(ValidationError):
            schema.model_validate({**patient, "mean_area": refused})
        with pytest.raises(PayloadError):
            patient_model.predict({**patient, "mean_area": refused})


def test_a_foreign_model_answers_like_itself(named: LogisticRegression) -> None:
    predictor = make_predictor(named, "m")
    assert predictor.call("predict", [ROW]) == named.predict(X[:1]).tolist()
    assert predictor.call("predict_proba", ROW) == named.predict_proba(X[:1]).tolist()
    assert predictor.classes == ("no", "yes")


def test_a_value_the_model_refuses_is_the_payloads_fault(named: LogisticRegression) -> None:
    with pytest.raises(PayloadError, match="refuses this input"):
        make_predictor(named, "m").call("predict", {**ROW, "age": "old"})


def test_a_model_that_fails_is_not_quoted() -> None:
    class Broken:
        def predict(self, rows: object) -> object:
            raise RuntimeError(f"no room for {rows}")

    with pytest.raises(ModelError) as failed:
        make_predictor(Broken(), "m").call("predict", {"age": 987654321.0})
    assert str(failed.value) == "The model fails with RuntimeError."


def test_an_object_that_cannot_predict_is_no_model() -> None:
    with pytest.raises(ModelError, match="'m' has no method predict"):
        make_predictor(object(), "m")
