"""What the profiler needs of a thing it measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import CodeType
from typing import Protocol

from perfcli.payloads import Payload
from perfcli.records import ServerView

LEFT_OUT: set[CodeType] = set()
"""Code between the profiler and the model: no part of a prediction, so no row of a table and no place in a tree."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """What one stage did during one prediction.

    Attributes:
        self_s: Time in the stage without the stages inside it.
        calls: Times it ran.
        repeated_s: Part of `self_s` spent in repeating itself on the very same input; 0 when it did not.
    """

    self_s: float
    calls: int
    repeated_s: float = 0.0


class StageClock(Protocol):
    """Reads what the stages did, one prediction at a time."""

    def take(self) -> Mapping[str, StageTime]:
        """Return the stages since the last call of `take`, in the order they first ran, and start anew."""
        ...


class Target(Protocol):
    """A local model or a remote API.

    Attributes:
        kind: `embedded`, `model` or `remote`.
        name: Import path, file or URL, secrets masked.
        method: `predict`, `predict_proba`..., or the HTTP method.
        load_s: Time it took to import and load the model; None for a remote target.
    """

    kind: str
    name: str
    method: str
    load_s: float | None

    def prepare(self, payload: Payload) -> Callable[[], object]:
        """Return the call that makes one prediction of this payload.

        What a service would do once (reading the file, building the matrix for an estimator) is done here; the
        call holds nothing but the prediction, so that a bare loop over it is the truth to compare with.

        Raises:
            PayloadError: The payload does not fit the model.
        """
        ...

    def staged(self) -> AbstractContextManager[StageClock]:
        """Time the stages of the calls made inside the block; everything is as before when it ends."""
        ...

    def server_view(self) -> ServerView | None:
        """Return what the far side says of the requests made so far; None for a local model."""
        ...

    def close(self) -> None:
        """Give back connections and temporary files."""
        ...
