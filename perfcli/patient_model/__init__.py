"""The embedded default: `patient_model`, trained on real patients at first use, or loaded from the user's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcli.errors import MissingExtraError

if TYPE_CHECKING:
    from perfcli.patient_model.predictor import PatientModel

    patient_model: PatientModel

__all__ = ["patient_model"]


def __getattr__(name: str) -> object:
    """Make `patient_model` when it is first asked for.

    Raises:
        MissingExtraError: scikit-learn or pandas is not installed.
    """
    if name != "patient_model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from perfcli.patient_model.predictor import load_patient_model
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("perfcli"):
            raise
        raise MissingExtraError("The embedded model", "model") from error
    return globals().setdefault(name, load_patient_model())
