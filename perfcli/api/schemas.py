"""What the prediction endpoints take and give; the rows of a model are described by its own feature names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

from fastapi.openapi.models import Example
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, RootModel, Tag, create_model
from pydantic_core import PydanticCustomError

from perfcli.api.predictor import Predictor
from perfcli.payloads import Payload

# More than the models of this world forget to drop, and few enough to be named one by one.
_MAX_UNKNOWN_COLUMNS = 100

# Read as written: the text "1" is no number, and neither is true.
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

# The bounds are those of the patient model itself.
Measurement: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1_000_000)]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# A model of somebody else's may be fitted on categories, and may know what to do with a gap.
Cell: TypeAlias = Number | str | bool | None
Label: TypeAlias = int | float | str | bool


class PredictionInput(RootModel[object]):
    """One row or a batch of rows; the concrete model below says which columns they have."""

    def to_payload(self) -> Payload:
        """Return the rows as the model takes them."""
        payload: Payload = self.model_dump(by_alias=True)
        return payload


class Predictions(BaseModel):
    """One answer for each row, in the order of the rows."""

    model_config = ConfigDict(protected_namespaces=())

    predictions: list[Label | list[Label]]
    model: str
    model_version: str | None


class Probabilities(BaseModel):
    """One probability for each class and row."""

    model_config = ConfigDict(protected_namespaces=())

    probabilities: list[list[float]]
    classes: list[Label] | None = Field(description="What the columns of `probabilities` stand for.")
    model: str
    model_version: str | None


class FieldProblem(BaseModel):
    """What is wrong with one part of the input."""

    loc: list[str | int] = Field(description="Where: `body`, then the kind of input, the row and the column.")
    msg: str
    type: str


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str | list[FieldProblem]


def input_schema(predictor: Predictor, max_rows: int) -> type[PredictionInput]:
    """Make the type of a request body: a row of the model, or 1 to `max_rows` of them."""
    row = _row_schema(predictor)
    single, several = ("patient", "patients") if predictor.is_embedded else ("row", "rows")

    def kind(value: object) -> str:
        is_batch = isinstance(value, list) and (predictor.feature_names is not None or _is_nested(value))
        return several if is_batch else single

    # The first wrong row is enough to tell: a thousand of them have thirty thousand problems.
    batch = Annotated[list[row], Field(min_length=1, max_length=max_rows, fail_fast=True)]  # type: ignore[valid-type]  # made at run time
    union = Annotated[
        Annotated[row, Tag(single)] | Annotated[batch, Tag(several)],  # type: ignore[valid-type]  # likewise
        Discriminator(kind),
    ]
    return create_model("PredictionInput", __base__=PredictionInput, root=(union, ...))


def openapi_examples(examples: Mapping[str, Payload]) -> dict[str, Example]:
    """Describe sample payloads the way OpenAPI wants them."""
    return {name: Example(summary=name, value=value) for name, value in examples.items()}


def _row_schema(predictor: Predictor) -> type[object]:
    if predictor.feature_names is None:
        # A union is a type to pydantic alone.
        return dict[str, Cell] | Annotated[list[Cell], Field(min_length=1)]  # type: ignore[return-value]
    name, value = ("Patient", Measurement) if predictor.is_embedded else ("Row", Cell)
    return _named_row(name, predictor.feature_names, value)


def _named_row(name: str, columns: Sequence[str], value: object) -> type[BaseModel]:
    # Columns are aliases: a column may be called `copy`, `_id` or `mean radius (mm)`, and a field may not.
    fields = {f"column_{number}": (value, Field(alias=column)) for number, column in enumerate(columns)}
    # The signature knows fields by name only.
    row: type[BaseModel] = create_model(name, __config__=_STRICT, **fields)  # type: ignore[call-overload]  # see above

    def refuse_many_unknown(value: object) -> object:
        # A problem of its own for each of a hundred thousand takes a second of the event loop.
        unknown = len(value.keys() - set(columns)) if isinstance(value, dict) and len(value) > len(columns) else 0
        if unknown > _MAX_UNKNOWN_COLUMNS:
            raise PydanticCustomError("extra_forbidden", "{count} columns are not permitted", {"count": unknown})
        return value

    return Annotated[row, BeforeValidator(refuse_many_unknown)]  # type: ignore[return-value]  # made at run time


def _is_nested(value: list[object]) -> bool:
    """Tell a matrix, or a list of objects, from one row of plain values."""
    return bool(value) and isinstance(value[0], dict | list)
