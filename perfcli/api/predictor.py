"""The model as the API serves it: rows in, JSON-ready answers out, and the blame for a failure put where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from perfcli.api.answers import is_label, to_answers, to_list
from perfcli.api.exchange import stage
from perfcli.errors import ModelError, PayloadError, PerfcliError
from perfcli.payloads import Payload
from perfcli.settings import Settings
from perfcli.targets.conversion import to_model_input
from perfcli.targets.loading import load_model
from perfcli.targets.local import EMBEDDED_MODEL
from perfcli.targets.wording import describe_error

Prepare: TypeAlias = Callable[[Payload], object]
Method: TypeAlias = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Predictor:
    """A loaded model.

    Attributes:
        name: Import path or file it came from.
        version: What the model says of itself; None when it says nothing.
        feature_names: Columns it was fitted on; None when it does not know them.
        classes: Labels in the order of the probabilities; None for a model without.
        prepare: Turns a payload into what the methods take.
        methods: `predict`, and `predict_proba` if the model has it.
    """

    name: str
    version: str | None
    feature_names: tuple[str, ...] | None
    classes: tuple[object, ...] | None
    prepare: Prepare
    methods: Mapping[str, Method]

    @property
    def is_embedded(self) -> bool:
        """Tell whether this is the patient model that travels with perfcli."""
        return self.name == EMBEDDED_MODEL

    def call(self, method: str, payload: Payload) -> list[object]:
        """Make one prediction; one answer for each row.

        Raises:
            PayloadError: The input does not fit the model, or the model refuses its values.
            ModelError: The model failed for another reason, or returned no answers; the text quotes nothing of the
                input.
        """
        # A model takes rows, and gets one as a list of one.
        if isinstance(payload, dict) or (payload and not isinstance(payload[0], list | dict)):
            payload = [payload]
        try:
            with stage("features"):
                data = self.prepare(payload)
            with stage("model"):
                return to_answers(method, self.methods[method](data), len(payload))
        except PerfcliError:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            # What scikit-learn raises for text, null and numbers too large for its own float type.
            raise PayloadError(f"The model refuses this input: {describe_error(error)}.") from error
        except Exception as error:
            raise ModelError(f"The model fails with {type(error).__name__}.") from error


def load_predictor(settings: Settings) -> Predictor:
    """Load the configured model, or the embedded one.

    Raises:
        PerfcliError: It does not load, is not trusted, or cannot predict.
    """
    name = settings.model_path or EMBEDDED_MODEL
    model, _ = load_model(name, trust=settings.model_trust)
    return make_predictor(model, name)


def make_predictor(model: object, name: str) -> Predictor:
    """Make a loaded model ready to be served.

    Raises:
        ModelError: It cannot predict.
    """
    if not callable(getattr(model, "predict", None)):
        raise ModelError(f"'{name}' has no method predict.", "Serve an object with predict(rows).")
    prepare, methods = _embedded(model) if name == EMBEDDED_MODEL else _foreign(model)
    names = _first_of(model, "feature_names", "feature_names_in_")
    classes = _first_of(model, "classes_")
    version = getattr(model, "model_version", None)
    return Predictor(
        name=name,
        version=None if version is None else str(version),
        feature_names=None if names is None else tuple(str(column) for column in names),
        # Those of several outputs are a list for each, and a date is none that JSON has.
        classes=tuple(classes) if classes is not None and all(map(is_label, classes)) else None,
        prepare=prepare,
        methods=methods,
    )


def _embedded(model: object) -> tuple[Prepare, Mapping[str, Method]]:
    """Take the patient model apart, so that its features and its classifier are timed apart."""
    from perfcli.patient_model.features import engineer_features, to_frame
    from perfcli.patient_model.predictor import PatientModel

    assert isinstance(model, PatientModel)

    def prepare(payload: Payload) -> object:
        return engineer_features(to_frame(payload))

    def predict(frame: object) -> object:
        return model.most_probable(model.pipeline.predict_proba(frame).tolist())

    return prepare, {"predict": predict, "predict_proba": model.pipeline.predict_proba}


def _foreign(model: object) -> tuple[Prepare, Mapping[str, Method]]:
    found = {name: getattr(model, name, None) for name in ("predict", "predict_proba")}
    return partial(to_model_input, model), {name: method for name, method in found.items() if callable(method)}


def _first_of(model: object, *attributes: str) -> list[object] | None:
    """Return the first that is there and is a list; a method of that name is something else."""
    for attribute in attributes:
        value = getattr(model, attribute, None)
        if value is not None and not callable(value) and (found := to_list(value)) is not None:
            return found
    return None
