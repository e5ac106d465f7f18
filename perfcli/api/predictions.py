"""POST /predict and /predict_proba."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, TypeAlias, cast

from fastapi import APIRouter, Body

from perfcli.api.predictor import Predictor
from perfcli.api.schemas import (
    Label,
    PredictionInput,
    Predictions,
    Probabilities,
    Problem,
    input_schema,
    openapi_examples,
)
from perfcli.payloads import Payload

PREDICTION_PATHS = frozenset({"/predict", "/predict_proba"})

PayloadObserver: TypeAlias = Callable[[Payload], None]

_PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        400: "The body is not JSON.",
        408: "The body did not arrive in time.",
        413: "The body is too long.",
        422: "The input does not fit the model; the answer names the field.",
        503: "Too many predictions at a time; try again after Retry-After seconds.",
    }.items()
}


def prediction_router(
    predictor: Predictor, max_rows: int, examples: Mapping[str, Payload], observe: PayloadObserver | None = None
) -> APIRouter:
    """Make the routes of one model; a model without probabilities has no /predict_proba.

    Args:
        predictor: The model.
        max_rows: Most rows in one request.
        examples: Inputs shown in the OpenAPI document.
        observe: Called with each input that is predicted.
    """
    router = APIRouter(tags=["predictions"])

    # `def`, not `async def`: a prediction computes, and would freeze every other request on the event loop.
    def predict(body: PredictionInput) -> Predictions:
        """Predict the class of each row."""
        payload = body.to_payload()
        if observe is not None:
            observe(payload)
        answers = cast(list[Label | list[Label]], predictor.call("predict", payload))
        return Predictions(predictions=answers, model=predictor.name, model_version=predictor.version)

    def predict_proba(body: PredictionInput) -> Probabilities:
        """Predict the probability of each class for each row."""
        payload = body.to_payload()
        if observe is not None:
            observe(payload)
        answers = cast(list[list[float]], predictor.call("predict_proba", payload))
        classes = None if predictor.classes is None else list(cast(tuple[Label, ...], predictor.classes))
        return Probabilities(
            probabilities=answers, classes=classes, model=predictor.name, model_version=predictor.version
        )

    # The rows are known only now that the model is.
    schema = input_schema(predictor, max_rows)
    for endpoint in (predict, predict_proba):
        endpoint.__annotations__["body"] = Annotated[schema, Body(openapi_examples=openapi_examples(examples))]
        if endpoint.__name__ in predictor.methods:
            router.add_api_route(f"/{endpoint.__name__}", endpoint, methods=["POST"], responses=_PROBLEMS)
    return router
