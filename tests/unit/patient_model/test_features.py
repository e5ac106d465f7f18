"""What becomes of a payload before the classifier sees it."""

from __future__ import annotations

import math
import reprlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from perfcli.errors import PayloadError
from perfcli.patient_model.features import FEATURE_NAMES, engineer_features, to_frame

patients = st.fixed_dictionaries({name: st.integers(0, 1_000_000) | st.floats(0, 1e6) for name in FEATURE_NAMES})


def refusal(payload) -> str:
    with pytest.raises(PayloadError) as caught:
        to_frame(payload)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value.message


def test_the_measurements_are_those_of_the_data_set_in_its_order():
    names = [str(name).replace(" ", "_") for name in load_breast_cancer().feature_names]
    assert list(FEATURE_NAMES) == names


def test_columns_come_out_in_order_whatever_the_order_of_the_payload(patient):
    frame = to_frame(dict(reversed(patient.items())))
    assert frame.to_dict("records") == [patient]
    assert tuple(frame.columns) == FEATURE_NAMES


def test_a_batch_becomes_a_row_per_patient(held_out):
    batch = held_out.measurements.to_dict("records")
    assert to_frame(batch).to_dict("records") == batch


def test_integers_and_numpy_numbers_are_measurements(patient):
    numbers = {**patient, "mean_area": 500, "worst_area": np.int64(700), "mean_radius": np.float32(12.5)}
    frame = to_frame(numbers)
    assert frame[["mean_area", "worst_area", "mean_radius"]].iloc[0].tolist() == [500.0, 700.0, 12.5]
    assert set(frame.dtypes) == {np.dtype("float64")}


def test_every_engineered_feature_has_the_value_of_its_definition(patient):
    p = patient
    expected = {
        "radius_growth": p["worst_radius"] / p["mean_radius"],
        "area_growth": p["worst_area"] / p["mean_area"],
        "texture_growth": p["worst_texture"] / p["mean_texture"],
        "concavity_growth": p["worst_concavity"] - p["mean_concavity"],
        "concave_points_growth": p["worst_concave_points"] - p["mean_concave_points"],
        "radius_variation": p["radius_error"] / p["mean_radius"],
        "area_variation": p["area_error"] / p["mean_area"],
        "texture_variation": p["texture_error"] / p["mean_texture"],
        "mean_circularity": 4 * math.pi * p["mean_area"] / p["mean_perimeter"] ** 2,
        "worst_circularity": 4 * math.pi * p["worst_area"] / p["worst_perimeter"] ** 2,
        "mean_indentation": p["mean_concavity"] * p["mean_concave_points"],
        "worst_indentation": p["worst_concavity"] * p["worst_concave_points"],
        "mean_area_log": math.log(1 + p["mean_area"]),
        "worst_area_log": math.log(1 + p["worst_area"]),
        "worst_textured_size": p["worst_radius"] * p["worst_texture"],
        "worst_indented_size": p["worst_radius"] * p["worst_concave_points"],
    }
    (row,) = engineer_features(to_frame(patient)).to_dict("records")
    assert row == pytest.approx(patient | expected, rel=1e-8)


def test_a_circle_has_circularity_one(patient):
    circle = {**patient, "mean_area": math.pi * 9, "mean_perimeter": math.pi * 6}
    assert engineer_features(to_frame(circle))["mean_circularity"].iloc[0] == pytest.approx(1, rel=1e-8)


def test_engineering_leaves_the_measurements_as_they_are(patient):
    frame = to_frame(patient)
    engineer_features(frame)
    assert frame.to_dict("records") == [patient]


@given(patient=patients)
def test_measurements_in_range_give_finite_features(patient):
    assert np.isfinite(engineer_features(to_frame(patient)).to_numpy()).all()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("rough", "is 'rough'"),
        ("17.5", "is '17.5'"),
        (None, "has no value"),
        (True, "is True"),
        ([17.5], "is [17.5]"),
        (math.nan, "is nan"),
        (math.inf, "is inf"),
        (-1, "is -1"),
        (1_000_001, "is 1000001"),
        (10**400, "is 100000000000000000...0000000000000000000"),
    ],
    ids=reprlib.repr,
)
@pytest.mark.parametrize("name", [FEATURE_NAMES[0], FEATURE_NAMES[-1]])
def test_what_is_no_measurement_is_named(patient, name, value, shown):
    assert refusal({**patient, name: value}) == f"{name} {shown}."


def test_a_bad_patient_in_a_batch_is_named_by_row(patient):
    assert refusal([patient, {**patient, "mean_area": math.nan}]) == "Row 2: mean_area is nan."


def test_a_misspelt_column_is_answered_with_the_right_one(patient):
    misspelt = {name.replace("worst_concave_points", "worst concave points"): patient[name] for name in patient}
    with pytest.raises(PayloadError) as caught:
        to_frame([patient, misspelt])
    assert caught.value.message == "Row 2: The model knows no column 'worst concave points'."
    assert caught.value.hint == "Did you mean 'worst_concave_points'?"


def test_a_missing_column_is_named(patient):
    del patient["worst_area"]
    assert refusal(patient) == "The payload lacks the column 'worst_area'."


@pytest.mark.parametrize("payload", [[], [[1.0] * 30], [1.0] * 30, "patient"])
def test_a_payload_without_named_measurements_is_refused(payload):
    assert refusal(payload) in {
        "The payload is a list without rows.",
        "The payload names no columns.",
        "Row 1: The payload names no columns.",
    }
