"""From the measurements of patients to the columns the classifier was trained on."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from perfcli.errors import PayloadError
from perfcli.payloads import Payload, check_columns

_TRAITS = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)

FEATURE_NAMES: tuple[str, ...] = (
    *(f"mean_{trait}" for trait in _TRAITS),
    *(f"{trait}_error" for trait in _TRAITS),
    *(f"worst_{trait}" for trait in _TRAITS),
)
"""The measurements of the Wisconsin data, in its order: mean, standard error and worst of a tumour's cell nuclei."""

_NUMBERS = (float, int, np.floating, np.integer)
_COLUMNS = pd.Index(FEATURE_NAMES)
_LARGEST = 1_000_000  # the largest measurement of the 569 patients is an area of 4254
_TINY = 1e-9  # keeps ratios finite when a measurement is 0; the smallest denominator in the data is a radius of 7


def to_frame(payload: Payload) -> pd.DataFrame:
    """Build one row per patient, columns in the order of `FEATURE_NAMES`.

    Raises:
        PayloadError: Not an object or a list of objects, or a measurement is unknown, missing or no sensible number.
    """
    cells = _batch(payload) if isinstance(payload, list) else [_measurements(payload)]
    return pd.DataFrame(np.array(cells, dtype=np.float64), columns=_COLUMNS)


def engineer_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what a pathologist looks for to the plain measurements.

    Growth compares the three largest nuclei with the average one, variation the standard error with the mean;
    circularity is 1 for a circle and less for a ragged outline.
    """
    return frame.assign(
        radius_growth=_ratio(frame["worst_radius"], frame["mean_radius"]),
        area_growth=_ratio(frame["worst_area"], frame["mean_area"]),
        texture_growth=_ratio(frame["worst_texture"], frame["mean_texture"]),
        concavity_growth=frame["worst_concavity"] - frame["mean_concavity"],
        concave_points_growth=frame["worst_concave_points"] - frame["mean_concave_points"],
        radius_variation=_ratio(frame["radius_error"], frame["mean_radius"]),
        area_variation=_ratio(frame["area_error"], frame["mean_area"]),
        texture_variation=_ratio(frame["texture_error"], frame["mean_texture"]),
        mean_circularity=_circularity(frame["mean_area"], frame["mean_perimeter"]),
        worst_circularity=_circularity(frame["worst_area"], frame["worst_perimeter"]),
        mean_indentation=frame["mean_concavity"] * frame["mean_concave_points"],
        worst_indentation=frame["worst_concavity"] * frame["worst_concave_points"],
        mean_area_log=np.log1p(frame["mean_area"]),
        worst_area_log=np.log1p(frame["worst_area"]),
        worst_textured_size=frame["worst_radius"] * frame["worst_texture"],
        worst_indented_size=frame["worst_radius"] * frame["worst_concave_points"],
    )


def _batch(rows: list[object]) -> list[list[float]]:
    if not rows:
        raise PayloadError("The payload is a list without rows.", "Give at least one patient.")
    cells = []
    for number, row in enumerate(rows, start=1):
        try:
            cells.append(_measurements(row))
        except PayloadError as error:
            raise PayloadError(f"Row {number}: {error.message}", error.hint) from None
    return cells


def _measurements(row: object) -> list[float]:
    """Return the 30 measurements in order, each a number in range."""
    if not isinstance(row, Mapping):
        raise PayloadError("The payload names no columns.", "Write a patient as an object of 30 measurements.")
    check_columns(row, FEATURE_NAMES)
    values = [row[name] for name in FEATURE_NAMES]
    # Looking at each takes three times as long. The sum is there for NaN, which min and max may overlook.
    plain = {float, int}.issuperset(map(type, values))
    if plain and min(values) >= 0 and max(values) <= _LARGEST and not math.isnan(sum(values)):
        return values
    return [_measurement(name, value) for name, value in zip(FEATURE_NAMES, values, strict=True)]


def _measurement(name: str, value: object) -> float:
    # The range refuses NaN and infinity as well, and what would overflow in the engineered features.
    if isinstance(value, _NUMBERS) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return float(value)
    wrong = "has no value" if value is None else f"is {reprlib.repr(value)}"
    raise PayloadError(f"{name} {wrong}.", f"A measurement is a number from 0 to {_LARGEST}.")


def _ratio(part: pd.Series[float], whole: pd.Series[float]) -> pd.Series[float]:
    return part / (whole + _TINY)


def _circularity(area: pd.Series[float], perimeter: pd.Series[float]) -> pd.Series[float]:
    return 4 * math.pi * area / (perimeter**2 + _TINY)
