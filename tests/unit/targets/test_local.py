"""A local target: which method is measured, what the call does, and how a failing model is reported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from perfcli.errors import ModelError, PayloadError, UsageError
from perfcli.targets.local import open_model
from perfcli.targets.protocol import Target

FRAME = pd.DataFrame({"age": [1.0, 2.0, 3.0], "income": [3.0, 1.0, 2.0]})


class Scorer:
    """An object of the user's own."""

    def predict(self, payload: object) -> object:
        return ["predicted", payload]

    def score(self, payload: object) -> object:
        return ["scored", payload]

    def __call__(self, payload: object) -> object:
        return ["called", payload]


class Silent:
    weights = 3


def call_model(payload: object) -> object:
    return ["function", payload]


async def call_later(payload: object) -> object:
    return payload


def fail(payload: object) -> object:
    raise RuntimeError("first line\nsecond line")


def refuse(payload: object) -> object:
    raise PayloadError("Patient 1 is wrong.", "Right it.")


@pytest.fixture(autouse=True)
def models() -> Iterator[ModuleType]:
    module = ModuleType("fake_models")
    module.scorer = Scorer()
    module.Scorer = Scorer
    module.silent = Silent()
    module.function = call_model
    module.later = call_later
    module.fail = fail
    module.refuse = refuse
    module.regression = LinearRegression().fit(FRAME, [6.0, 5.0, 8.0])
    module.unfitted = LinearRegression()
    module.pipeline = Pipeline([("scale", StandardScaler()), ("line", LinearRegression())]).fit(FRAME, [6.0, 5.0, 8.0])
    module.number = 3
    sys.modules["fake_models"] = module
    yield module
    del sys.modules["fake_models"]


def opened(attribute: str, method: str | None = None) -> Target:
    return open_model(f"fake_models:{attribute}", method, trust=False)


@pytest.mark.parametrize(
    ("attribute", "method", "shown", "answer"),
    [
        ("scorer", None, "predict", ["predicted", {"a": 1}]),
        ("scorer", "score", "score", ["scored", {"a": 1}]),
        ("scorer", "call", "call", ["called", {"a": 1}]),
        ("scorer", "__call__", "call", ["called", {"a": 1}]),
        ("scorer.score", None, "call", ["scored", {"a": 1}]),
        ("function", None, "call", ["function", {"a": 1}]),
    ],
)
def test_the_method_asked_for_is_called(attribute: str, method: str | None, shown: str, answer: object) -> None:
    target = opened(attribute, method)
    assert (target.kind, target.name, target.method) == ("model", f"fake_models:{attribute}", shown)
    assert target.prepare({"a": 1})() == answer


def test_an_estimator_predicts_from_a_row_with_its_columns_in_any_order() -> None:
    answer = opened("regression").prepare({"income": 3, "age": 1})()
    assert isinstance(answer, np.ndarray)
    assert answer.tolist() == pytest.approx([6.0])


def test_a_method_of_an_estimator_takes_what_the_estimator_takes() -> None:
    target = opened("regression.predict")
    assert target.method == "predict"
    assert target.prepare([[1, 3], [2, 1]])() == pytest.approx([6.0, 5.0])


@pytest.mark.parametrize(
    ("attribute", "method", "message", "hint"),
    [
        (
            "scorer",
            "pedict",
            "'fake_models:scorer' has no method 'pedict'.",
            "Did you mean 'predict'? It has predict, score.",
        ),
        (
            "silent",
            None,
            "'fake_models:silent' is a Silent: it has no method predict, and cannot be called.",
            "Name a model, or a function that takes the payload.",
        ),
        ("silent", "weights", "'fake_models:silent' has no method 'weights'.", "Name a model"),
        ("Scorer", None, "'fake_models:Scorer' is a class, not a model.", "Name an instance of it"),
        (
            "later",
            None,
            "'fake_models:later' returns before its work is done.",
            "Name a plain function or method.",
        ),
        ("function", "predict", "'fake_models:function' has no method 'predict'.", ""),
    ],
)
def test_what_cannot_be_measured_is_refused(attribute: str, method: str | None, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        opened(attribute, method)
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)


def test_a_model_that_raises_is_one_line_with_its_error() -> None:
    call = opened("fail").prepare({})
    with pytest.raises(ModelError) as caught:
        call()
    line = fail.__code__.co_firstlineno + 1
    assert caught.value.message.startswith("'fake_models:fail' raises RuntimeError: first line second line (")
    assert caught.value.message.endswith(f"test_local.py:{line} in fail)")
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_the_innermost_place_of_the_user_s_own_code_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What raises is pandas, called by a method that a function of the module calls.
    (tmp_path / "deep_model.py").write_text(
        "import pandas\n\n\n"
        "class Table:\n"
        "    def look_up(self, name):\n"
        "        return pandas.DataFrame({'a': [1]})[name]\n\n\n"
        "def model(payload):\n"
        "    return Table().look_up('missing')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError) as caught:
        open_model("deep_model:model", None, trust=False).prepare({})()
    assert caught.value.message == "'deep_model:model' raises KeyError: 'missing' (deep_model.py:6 in Table.look_up)"
    assert caught.value.hint == "Call it once on this payload outside perfcli to see all that led there."
    del sys.modules["deep_model"]


def test_an_error_without_a_place_in_the_user_s_code_names_none() -> None:
    with pytest.raises(ModelError) as caught:
        open_model("json:loads", None, trust=False).prepare({})()
    assert caught.value.message.startswith("'json:loads' raises TypeError: the JSON object must be str")
    assert "(" not in caught.value.message
    assert caught.value.hint == "Call it once on this payload outside perfcli to see where."


def test_a_model_that_is_not_fitted_says_so() -> None:
    call = opened("unfitted").prepare([[1, 2]])
    with pytest.raises(ModelError, match="raises NotFittedError: This LinearRegression instance") as caught:
        call()
    assert caught.value.hint == "Fit it before you save it."


def test_an_error_of_ours_from_the_model_passes_as_it_is() -> None:
    with pytest.raises(PayloadError) as caught:
        opened("refuse").prepare({})()
    assert caught.value.message == "Patient 1 is wrong."


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"age": "old", "income": 1}, "The model cannot use this payload: column 'age' is text, 'old'."),
        ([[1, 2], [None, 2]], "The model cannot use this payload: row 2, column 1 has no value."),
    ],
)
def test_a_value_the_model_cannot_use_is_the_fault_of_the_payload(payload: dict | list, message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        opened("regression").prepare(payload)()
    assert caught.value.message == message
    assert caught.value.hint.startswith("The model says ValueError: ")


def test_the_steps_of_a_prepared_call_are_timed(models: ModuleType) -> None:
    target = opened("pipeline")
    call = target.prepare({"age": 1, "income": 3})
    with target.staged() as clock:
        call()
        times = clock.take()
    assert list(times) == ["Pipeline", "scale", "line"]
    assert all(time.self_s > 0 and time.calls == 1 for time in times.values())
    assert set(vars(models.pipeline)) == {"steps", "transform_input", "memory", "verbose"}
