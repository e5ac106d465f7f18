"""The model as the API serves it: rows in, JSON-ready answers out, and the blame for a failure put where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from perfcli.api.exchange import stage
from perfcli.errors import ModelError, PayloadError
from perfcli.payloads import Payload
from perfcli.settings import Settings
from perfcli.targets.conversion import to_model_input
from perfcli.targets.loading import load_model
from perfcli.targets.wording import describe_error

EMBEDDED_MODEL = "perfcli.patient_model:patient_model"


class _Array(Protocol):
    def tolist(self) -> list[object]: ...


@dataclass(frozen=True, slots=True)
class Predictor:
    """A loaded model.

    Attributes:
        name: Import path or file it came from.
        model: The object itself.
        version: What the model says of itself; None when it says nothing.
        feature_names: Columns it was fitted on; None when it does not know them.
        classes: Labels in the order of the probabilities; None for a model without.
    """

    name: str
    model: object
    version: str | None
    feature_names: tuple[str, ...] | None
    classes: tuple[object, ...] | None

    @property
    def is_embedded(self) -> bool:
        """Tell whether this is the patient model that travels with perfcli."""
        return self.name == EMBEDDED_MODEL

    def offers(self, method: str) -> bool:
        """Tell whether the model has this method."""
        return callable(getattr(self.model, method, None))

    def call(self, method: str, payload: Payload) -> list[object]:
        """Make one prediction; one answer for each row.

        Raises:
            PayloadError: The input does not fit the model, or the model refuses its values.
        """
        with stage("features"):
            data = to_model_input(self.model, payload)
        call = cast(Callable[[object], object], getattr(self.model, method))
        with stage("model"):
            try:
                answer = call(data)
            except (ValueError, TypeError, OverflowError) as error:
                # What scikit-learn raises for text, null and numbers too large for its own float type.
                raise PayloadError(f"The model refuses this input: {describe_error(error)}.") from error
        return cast(_Array, answer).tolist() if hasattr(answer, "tolist") else list(cast(Sequence[object], answer))


def load_predictor(settings: Settings) -> Predictor:
    """Load the configured model, or the embedded one.

    Raises:
        PerfcliError: It does not load, is not trusted, or cannot predict.
    """
    name = settings.model_path or EMBEDDED_MODEL
    model, _ = load_model(name, trust=settings.model_trust)
    if not callable(getattr(model, "predict", None)):
        raise ModelError(f"'{name}' has no method predict.", "Serve an object with predict(rows).")
    names = _first_of(model, "feature_names", "feature_names_in_")
    classes = _first_of(model, "classes_")
    version = getattr(model, "model_version", None)
    return Predictor(
        name=name,
        model=model,
        version=None if version is None else str(version),
        feature_names=None if names is None else tuple(str(column) for column in names),
        classes=None if classes is None else tuple(classes),
    )


def _first_of(model: object, *attributes: str) -> list[object] | None:
    for attribute in attributes:
        value = getattr(model, attribute, None)
        if value is not None:
            return cast(_Array, value).tolist() if hasattr(value, "tolist") else list(value)
    return None
