"""The embedded model is a real one: real patients, a fixed split, and good enough to be worth profiling."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

from perfcli.patient_model.features import engineer_features
from perfcli.patient_model.training import split_patients, train


def test_training_and_held_out_patients_are_the_whole_data_set_and_share_nobody():
    training, held_out = split_patients()
    assert (len(training.measurements), len(held_out.measurements)) == (398, 171)
    both = pd.concat([training.measurements, held_out.measurements]).sort_index()
    assert np.array_equal(both.to_numpy(), load_breast_cancer().data)


def test_one_means_malignant_in_212_of_569_patients():
    training, held_out = split_patients()
    malignant = pd.concat([training.malignant, held_out.malignant]).sort_index()
    assert malignant.sum() == 212  # as published: 212 malignant, 357 benign
    assert malignant.iloc[0] == 1  # the first patient of the data, id 842302, is malignant
    assert held_out.malignant.sum() == round(171 * 212 / 569)


def test_the_split_is_always_the_same():
    first, second = split_patients(), split_patients()
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one.measurements, other.measurements)
        pd.testing.assert_series_equal(one.malignant, other.malignant)


def test_at_least_95_of_100_held_out_patients_are_diagnosed_right(model, held_out):
    predicted = model.predict(held_out.measurements.to_dict("records"))
    right = sum(ours == theirs for ours, theirs in zip(predicted, held_out.malignant, strict=True))
    assert right / len(predicted) >= 0.95


def test_the_area_under_the_roc_curve_is_at_least_98_percent(model, held_out):
    probabilities = np.array(model.predict_proba(held_out.measurements.to_dict("records")))[:, 1]
    ill, well = probabilities[held_out.malignant == 1], probabilities[held_out.malignant == 0]
    # By its definition: how often a malignant tumour scores above a benign one, ties counted half.
    above = (ill[:, None] > well).mean() + (ill[:, None] == well).mean() / 2
    assert above >= 0.98


def test_training_again_gives_the_same_probabilities_to_the_bit(pipeline, held_out):
    features = engineer_features(held_out.measurements)
    assert np.array_equal(train().predict_proba(features), pipeline.predict_proba(features))
