"""GET /health: the process lives. GET /ready: it answers predictions, the first as fast as the next."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from perfcli import __version__
from perfcli.api.predictor import Predictor


class Health(BaseModel):
    """The process answers."""

    status: str
    version: str


class Readiness(BaseModel):
    """Whether predictions are answered, and by which model."""

    model_config = ConfigDict(protected_namespaces=())

    status: str
    model: str
    model_version: str | None


@dataclass(slots=True)
class Phase:
    """Where the server is between its start and its end.

    Attributes:
        name: `starting`, `ready` or `stopping`.
    """

    name: str = "starting"


def health_router(predictor: Predictor, phase: Phase) -> APIRouter:
    """Make the two routes; `async def`, as they wait for nothing: a busy thread pool must not look like death."""
    router = APIRouter(tags=["health"])

    @router.get("/health")
    async def health() -> Health:
        """Tell that the process lives."""
        return Health(status="ok", version=__version__)

    @router.get("/ready", responses={503: {"model": Readiness, "description": "Starting or stopping."}})
    async def ready(response: Response) -> Readiness:
        """Tell whether predictions are answered now."""
        if phase.name != "ready":
            response.status_code = 503
        return Readiness(status=phase.name, model=predictor.name, model_version=predictor.version)

    return router
