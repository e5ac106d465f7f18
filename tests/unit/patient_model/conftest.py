"""The embedded model, trained once for all tests and never put into the user's cache."""

from __future__ import annotations

import pytest

from perfcli.patient_model.predictor import PatientModel
from perfcli.patient_model.training import split_patients, train


@pytest.fixture(scope="session")
def pipeline():
    return train()


@pytest.fixture(scope="session")
def model(pipeline):
    return PatientModel(pipeline, model_version="test")


@pytest.fixture(scope="session")
def held_out():
    _, patients = split_patients()
    return patients


@pytest.fixture
def patient(held_out):
    """Measurements of the first patient held out."""
    return held_out.measurements.iloc[0].to_dict()
