"""A model in this process: an estimator, an object with the method asked for, or any callable."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from perfcli.errors import ModelError, PayloadError, PerfcliError, UsageError
from perfcli.payloads import Payload
from perfcli.records import ServerView
from perfcli.targets.conversion import is_estimator, to_model_input, unusable_value
from perfcli.targets.loading import load_model
from perfcli.targets.protocol import LEFT_OUT, StageClock, Target
from perfcli.targets.stage_functions import StageFunction, resolve_stage_functions
from perfcli.targets.stages import timed_stages
from perfcli.targets.wording import describe_error, did_you_mean, place_of

EMBEDDED_MODEL = "perfcli.patient_model:patient_model"
EMBEDDED_STAGES = (
    "perfcli.patient_model.features:to_frame",
    "perfcli.patient_model.features:engineer_features",
)
CALL = "call"
_DEFAULT_METHOD = "predict"


def open_model(name: str | None, method: str | None, *, trust: bool, stage_functions: Sequence[str] = ()) -> Target:
    """Load a model and choose the method to measure.

    Args:
        name: A file, `package.module:attribute`, or None for the embedded model.
        method: Method of the model; None is `predict`, or the call itself when the model has no `predict`.
        trust: Loading may execute code that the file holds.
        stage_functions: Feature functions to time as stages, each as `module:function`.

    Raises:
        ModelError: The model does not load.
        UntrustedModelError: Loading would execute code, and `trust` is false.
        UsageError: The name can be none of a model, the model has no such method, or a stage is no function.
    """
    shown = EMBEDDED_MODEL if name is None else name
    model, load_s = load_model(shown, trust=trust)
    if method is None and inspect.ismethod(model) and is_estimator(model.__self__):
        # `service:model.predict_proba` means the estimator and its method, which takes a frame and not the payload.
        method = model.__func__.__name__
        model = model.__self__
    is_embedded = shown == EMBEDDED_MODEL
    functions = stage_functions or (EMBEDDED_STAGES if is_embedded else ())
    return LocalTarget(
        kind="embedded" if is_embedded else "model",
        name=shown,
        method=_choose_method(model, shown, method),
        load_s=load_s,
        model=model,
        stage_functions=resolve_stage_functions(functions),
    )


@dataclass
class LocalTarget:
    """A loaded model and the method that predicts.

    Attributes:
        kind: `embedded` or `model`.
        name: Import path or file.
        method: Name of the method, or `call`.
        load_s: Time it took to import and load.
        model: The model itself.
        stage_functions: Functions that are stages beside the steps of a pipeline.
    """

    kind: str
    name: str
    method: str
    load_s: float | None
    model: object
    stage_functions: tuple[StageFunction, ...]

    def prepare(self, payload: Payload) -> Callable[[], object]:
        """Build the input of the model once, and return the call that predicts with it."""
        model = self.model
        # The method is looked up in the call, as a service does it, and so that the wrappers of `staged()` are found.
        predict = operator.methodcaller(_attribute_name(self.method), to_model_input(model, payload))

        def call() -> object:
            try:
                return predict(model)
            except PerfcliError:
                raise
            # SystemExit too: its code would pass for the verdict of an SLO.
            except (Exception, SystemExit) as error:
                raise self._explain(error, payload) from error

        LEFT_OUT.add(call.__code__)
        return call

    def staged(self) -> AbstractContextManager[StageClock]:
        """Time pipeline steps and stage functions of the calls made inside the block."""
        return timed_stages(self.model, _attribute_name(self.method), self.stage_functions)

    def server_view(self) -> ServerView | None:
        """Return None: there is no far side."""
        return None

    def close(self) -> None:
        """Do nothing: the model belongs to the process."""

    def _explain(self, error: BaseException, payload: Payload) -> PerfcliError:
        """Blame the payload where the model could not use a value that is no number, and else the model."""
        raised = describe_error(error)
        if is_estimator(self.model) and isinstance(error, ValueError | TypeError):
            unusable = unusable_value(payload, error)
            if unusable is not None:
                return PayloadError(f"The model cannot use this payload: {unusable}.", f"The model says {raised}")
        place = place_of(error)
        hint = f"Call it once on this payload outside perfcli to see {'all that led there' if place else 'where'}."
        if type(error).__name__ == "NotFittedError":
            hint = "Fit it before you save it."
        return ModelError(f"'{self.name}' raises {raised}{f' ({place})' if place else ''}", hint)


def _attribute_name(method: str) -> str:
    return "__call__" if method == CALL else method


def _choose_method(model: object, name: str, method: str | None) -> str:
    if isinstance(model, type):
        raise UsageError(f"'{name}' is a class, not a model.", "Name an instance of it; perfcli calls no class.")
    if method is None:
        method = _DEFAULT_METHOD if callable(getattr(model, _DEFAULT_METHOD, None)) else CALL
        if method == CALL and not callable(model):
            raise UsageError(
                f"'{name}' is a {type(model).__name__}: it has no method predict, and cannot be called.",
                _list_methods(model),
            )
    method = CALL if method == "__call__" else method
    function = getattr(model, _attribute_name(method), None)
    if not callable(function):
        hint = f"{did_you_mean(method, _methods(model))} {_list_methods(model)}".strip()
        raise UsageError(f"'{name}' has no method '{method}'.", hint)
    if method == CALL:
        function = model if inspect.isroutine(model) else type(model).__call__
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise UsageError(f"'{name}' returns before its work is done.", "Name a plain function or method.")
    return method


def _methods(model: object) -> list[str]:
    names = [name for name in dir(model) if not name.startswith("_")]
    return [name for name in names if callable(getattr(model, name, None))]


def _list_methods(model: object) -> str:
    # What predicts comes first: an estimator has dozens of methods.
    methods = sorted(
        _methods(model), key=lambda name: not name.startswith(("predict", "decision", "score", "transform"))
    )
    return f"It has {', '.join(methods[:8])}." if methods else "Name a model, or a function that takes the payload."
