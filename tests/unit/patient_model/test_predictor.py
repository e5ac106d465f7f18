"""Predictions of the embedded model, and how the package hands it out."""

from __future__ import annotations

import math

import pytest
from sklearn.pipeline import Pipeline

from perfcli import patient_model as package
from perfcli.errors import PayloadError
from perfcli.patient_model.features import FEATURE_NAMES, engineer_features
from perfcli.patient_model.predictor import PatientModel


class CountingPipeline(Pipeline):
    """A pipeline that counts how often it is run."""

    runs = 0

    def predict_proba(self, *arguments, **keywords):
        self.runs += 1
        return super().predict_proba(*arguments, **keywords)

    def predict(self, *arguments, **keywords):
        self.runs += 1
        return super().predict(*arguments, **keywords)


def test_classes_are_what_the_pipeline_itself_predicts(model, held_out):
    batch = held_out.measurements.to_dict("records")
    assert model.predict(batch) == model.pipeline.predict(engineer_features(held_out.measurements)).tolist()


def test_probabilities_are_what_the_pipeline_itself_predicts(model, held_out):
    batch = held_out.measurements.to_dict("records")
    expected = model.pipeline.predict_proba(engineer_features(held_out.measurements)).tolist()
    assert model.predict_proba(batch) == expected


def test_a_patient_alone_gets_the_same_answer_as_in_a_batch(model, held_out):
    batch = held_out.measurements.to_dict("records")[:10]
    alone = [model.predict_proba(patient)[0] for patient in batch]
    assert alone == model.predict_proba(batch)


def test_answers_are_plain_python(model, patient):
    ((benign, malignant),) = model.predict_proba(patient)
    (diagnosis,) = model.predict(patient)
    assert (type(benign), type(malignant), type(diagnosis)) == (float, float, int)
    assert math.isclose(benign + malignant, 1)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_one_prediction_runs_the_pipeline_once(pipeline, patient, method):
    counting = CountingPipeline(pipeline.steps)
    getattr(PatientModel(counting, "test"), method)(patient)
    assert counting.runs == 1


def test_the_most_probable_class_follows_from_the_probabilities(model):
    assert model.most_probable([[0.9, 0.1], [0.2, 0.8], [0.49, 0.51]]) == [0, 1, 1]


def test_the_model_describes_itself(model):
    assert model.feature_names == FEATURE_NAMES
    assert model.classes_ == [0, 1]
    assert [name for name, _ in model.pipeline.steps] == ["scaler", "classifier"]


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_a_bad_payload_is_refused_before_the_pipeline_runs(model, patient, method):
    with pytest.raises(PayloadError, match=r"^mean_area is nan\. A measurement is a number from 0 to 1000000\.$"):
        getattr(model, method)({**patient, "mean_area": math.nan})


@pytest.fixture
def unused_package(monkeypatch, tmp_path):
    """The package before anybody asked for the model, with a cache of its own."""
    monkeypatch.setenv("PERFCLI_CACHE_DIR", str(tmp_path))
    used = vars(package).pop("patient_model", None)
    yield package
    vars(package).pop("patient_model", None)
    if used is not None:
        package.patient_model = used


def test_the_package_makes_its_model_once_at_the_first_use(unused_package, model, patient):
    made = unused_package.patient_model
    assert made is unused_package.patient_model
    assert made.predict_proba(patient) == model.predict_proba(patient)


def test_the_package_has_no_other_lazy_attribute():
    with pytest.raises(AttributeError, match=r"module 'perfcli\.patient_model' has no attribute 'other_model'"):
        _ = package.other_model
