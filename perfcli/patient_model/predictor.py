"""The embedded model: measurements of patients in, diagnoses out."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.pipeline import Pipeline

from perfcli.cache_folder import cache_folder
from perfcli.patient_model import features, training
from perfcli.patient_model.cache import load_or_train, model_key
from perfcli.payloads import Payload


class PatientModel:
    """Tells malignant from benign tumours by 30 measurements of the cell nuclei.

    Attributes:
        pipeline: The fitted scaler and classifier; takes engineered features.
        model_version: Changes with the libraries and the code the model was made by.
        feature_names: The measurements a payload must have.
        classes_: 0 for benign, 1 for malignant; the order of the probabilities.
    """

    def __init__(self, pipeline: Pipeline, model_version: str) -> None:
        self.pipeline = pipeline
        self.model_version = model_version
        self.feature_names = features.FEATURE_NAMES
        self.classes_: list[int] = pipeline.classes_.tolist()

    def predict_proba(self, payload: Payload) -> list[list[float]]:
        """Return the probability of each class for each patient.

        Raises:
            PayloadError: A measurement is unknown, missing or no sensible number.
        """
        frame = features.engineer_features(features.to_frame(payload))
        probabilities: list[list[float]] = self.pipeline.predict_proba(frame).tolist()
        return probabilities

    def predict(self, payload: Payload) -> list[int]:
        """Return the class of each patient.

        Raises:
            PayloadError: A measurement is unknown, missing or no sensible number.
        """
        return self.most_probable(self.predict_proba(payload))

    def most_probable(self, probabilities: Sequence[Sequence[float]]) -> list[int]:
        """Return the class of each row of probabilities, so that one pass gives a caller both."""
        return [self.classes_[row.index(max(row))] for row in probabilities]


def load_patient_model() -> PatientModel:
    """Load the model from the user's cache folder, or train it there.

    Raises:
        SettingsError: There is no folder for the cache.
    """
    return PatientModel(load_or_train(cache_folder(), training.train), model_key()[:12])
