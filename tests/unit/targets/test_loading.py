"""Models load from files and import paths, or say in one line why not."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import pandas as pd
import pytest
import skops.io
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from perfcli.errors import MissingExtraError, ModelError, PerfcliError, UntrustedModelError, UsageError
from perfcli.targets.loading import load_model
from perfcli.targets.stage_functions import resolve_stage_functions

MODULE = """
import sys

class Scorer:
    def predict(self, payload):
        return [1]

class Nested:
    scorer = Scorer()

nested = Nested()

class Fixed:
    __slots__ = ()

    def value(self):
        return 1

fixed = Fixed()

def score(payload):
    return [2]

async def later(payload):
    return [3]

def rows(payload):
    yield 4

def __getattr__(name):
    if name == "lazy":
        return Scorer()
    if name == "flawed":
        raise AttributeError("no weights")
    raise AttributeError(name)

def __dir__():
    return [*globals(), "lazy", "flawed"]
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with modules of the user's own, none of which stays imported."""
    (tmp_path / "scoring.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "script.py").write_text("raise SystemExit('usage: script')")
    (tmp_path / "needy.py").write_text("import no_such_library")
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "__init__.py").write_text("")
    (tmp_path / "services" / "fraud.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("scoring", "broken", "script", "needy", "services"):
            del sys.modules[name]


def failure(name: str, trust: bool = False) -> PerfcliError:
    with pytest.raises(PerfcliError) as caught:
        load_model(name, trust=trust)
    return caught.value


def test_the_working_directory_can_be_imported_from() -> None:
    model, load_s = load_model("scoring:nested.scorer", trust=False)
    assert type(model).__name__ == "Scorer"
    assert load_s > 0


def test_an_attribute_made_on_first_access_is_found() -> None:
    assert type(load_model("scoring:lazy", trust=False)[0]).__name__ == "Scorer"


@pytest.mark.parametrize(("suffix", "save"), [(".joblib", joblib.dump), (".pkl", None), (".PICKLE", None)])
def test_a_file_that_executes_code_needs_trust(project: Path, suffix: str, save: object) -> None:
    path = project / f"model{suffix}"
    model = LinearRegression().fit([[1.0], [2.0]], [2.0, 4.0])
    path.write_bytes(pickle.dumps(model)) if save is None else joblib.dump(model, path)
    error = failure(str(path))
    assert isinstance(error, UntrustedModelError)
    assert error.message == f"Loading '{path}' executes code that the file holds."
    assert error.hint == "If you know where the file comes from, add --trust; many models need none as a .skops file."
    loaded, _ = load_model(str(path), trust=True)
    assert isinstance(loaded, LinearRegression)
    assert loaded.predict([[3.0]]) == pytest.approx([6.0])


def test_an_untrusted_file_is_not_even_opened(project: Path) -> None:
    (project / "model.pkl").write_bytes(b"garbage")
    assert isinstance(failure("model.pkl"), UntrustedModelError)


def test_a_skops_file_of_known_types_needs_no_trust(project: Path) -> None:
    skops.io.dump(LinearRegression().fit([[1.0], [2.0]], [2.0, 4.0]), project / "model.skops")
    model, _ = load_model("model.skops", trust=False)
    assert isinstance(model, LinearRegression)


def test_a_skops_file_of_a_column_transformer_on_a_frame_needs_no_trust(project: Path) -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "city": ["a", "b", "a", "b"]})
    columns = ColumnTransformer([("impute", SimpleImputer(), ["age"]), ("code", OneHotEncoder(), ["city"])])
    vote = VotingClassifier([("one", LogisticRegression())])
    pipeline = Pipeline([("columns", columns), ("vote", vote)]).fit(frame, [0, 0, 1, 1])
    skops.io.dump(pipeline, project / "model.skops")
    assert skops.io.get_untrusted_types(file=project / "model.skops")
    model, _ = load_model("model.skops", trust=False)
    assert isinstance(model, Pipeline)
    assert model.predict(frame).tolist() == pipeline.predict(frame).tolist()


@pytest.mark.parametrize("estimator", [DecisionTreeClassifier(), HistGradientBoostingClassifier(max_iter=1)])
def test_a_skops_file_of_trees_needs_trust(project: Path, estimator: ClassifierMixin) -> None:
    skops.io.dump(estimator.fit([[1.0], [2.0], [3.0], [4.0]], [0, 0, 1, 1]), project / "model.skops")
    error = failure("model.skops")
    assert isinstance(error, UntrustedModelError)
    assert error.message.startswith("'model.skops' holds a type that skops does not trust: sklearn.")
    assert isinstance(load_model("model.skops", trust=True)[0], type(estimator))


def test_a_skops_file_lists_the_types_it_would_create(project: Path) -> None:
    scorer = load_model("services.fraud:Scorer", trust=False)[0]
    assert isinstance(scorer, type)
    pipeline = Pipeline([("score", FunctionTransformer()), ("custom", FunctionTransformer(scorer().predict))])
    skops.io.dump(pipeline, project / "model.skops")
    error = failure("model.skops")
    assert isinstance(error, UntrustedModelError)
    assert "services.fraud.Scorer" in error.message
    assert "--trust" in error.hint
    assert isinstance(load_model("model.skops", trust=True)[0], Pipeline)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("modle.joblib", "There is no file 'modle.joblib'.", "Did you mean 'model.joblib'?"),
        ("nowhere/m.skops", "There is no file 'nowhere/m.skops'.", "Check the path to the model."),
        ("scorin:score", "Cannot import 'scorin:score': there is no module 'scorin'.", "Did you mean 'scoring'?"),
        (
            "services.frod:score",
            "Cannot import 'services.frod:score': there is no module 'services.frod'.",
            "Did you mean 'services.fraud'?",
        ),
        ("zzqx.yy:score", "Cannot import 'zzqx.yy:score': there is no module 'zzqx'.", "Run perfcli where"),
        (
            "needy:score",
            "Cannot import 'needy:score': there is no module 'no_such_library'.",
            "'needy' imports it; install it",
        ),
        ("broken:score", "Importing 'broken' raises SyntaxError: ", "python -c 'import broken'"),
        ("script:score", "Importing 'script' raises SystemExit: usage: script.", "python -c 'import script'"),
        ("scoring:scor", "'scoring' has no attribute 'scor'.", "Did you mean 'score'?"),
        ("scoring:nested.zzqx", "'scoring.nested' has no attribute 'zzqx'.", "It has scorer."),
        ("scoring:flawed", "'scoring:flawed' raises AttributeError: no weights.", ""),
    ],
)
def test_what_cannot_be_found_is_named(project: Path, name: str, message: str, hint: str) -> None:
    (project / "model.joblib").write_bytes(b"")
    error = failure(name, trust=True)
    assert isinstance(error, ModelError)
    assert error.message.startswith(message)
    assert hint in error.hint
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("model", "'model' names no model.", "Give a file (.joblib, .pkl, .pickle, .skops) or an import path"),
        ("scoring", "'scoring' names no model.", "Give a file"),
        ("scoring:", "'scoring:' is not an import path.", "package.module:attribute"),
        (".scoring:score", "'.scoring:score' is not an import path.", "package.module:attribute"),
    ],
)
def test_a_name_that_can_be_no_model_is_a_usage_error(name: str, message: str, hint: str) -> None:
    error = failure(name)
    assert isinstance(error, UsageError)
    assert error.message == message
    assert hint in error.hint


@pytest.mark.parametrize("suffix", [".joblib", ".pkl", ".skops"])
@pytest.mark.parametrize("content", [b"", b"garbage \x80\x00", b"<!DOCTYPE html>\n<html></html>"])
def test_a_file_of_garbage_is_one_line(project: Path, suffix: str, content: bytes) -> None:
    (project / f"model{suffix}").write_bytes(content)
    error = failure(f"model{suffix}", trust=True)
    assert isinstance(error, ModelError)
    assert error.message.startswith(f"Cannot load 'model{suffix}': ")
    assert error.hint == "Save the model again, with the library versions installed here."
    assert "\n" not in str(error)


@pytest.mark.parametrize("library", ["joblib", "skops"])
def test_a_missing_library_is_answered_with_its_extra(
    project: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / f"model.{library}").write_bytes(b"")
    monkeypatch.setitem(sys.modules, library, None)
    error = failure(f"model.{library}", trust=True)
    assert isinstance(error, MissingExtraError)
    assert error.hint == "Install them with: pip install 'perfcli[model]'"


def test_a_model_of_a_missing_module_names_the_module(project: Path) -> None:
    (project / "model.pkl").write_bytes(b"cno_such_library\nModel\n.")
    error = failure("model.pkl", trust=True)
    assert error.message == "Cannot load 'model.pkl': ModuleNotFoundError: No module named 'no_such_library'."
    assert error.hint == "Install 'no_such_library', or run perfcli where it can be imported."


def test_a_model_saved_by_a_script_says_so(project: Path) -> None:
    (project / "model.pkl").write_bytes(b"c__main__\nno_such_function_here\n.")
    assert failure("model.pkl", trust=True).hint.startswith("It was saved by a script")


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("scoring:scor", "No stage 'scoring:scor': 'scoring' has no attribute 'scor'.", "Did you mean 'score'?"),
        ("scoring", "No stage 'scoring': 'scoring' is not an import path.", "Write it as package.module:attribute."),
        ("scoring:nested", "The stage 'scoring:nested' is a Nested, not a function.", "Name a function."),
        ("scoring:Scorer", "The stage 'scoring:Scorer' is a type, not a function.", "Name a function."),
        ("scoring:later", "The stage 'scoring:later' returns before its work is done.", "Name a plain function."),
        (
            "scoring:fixed.value",
            "'scoring:fixed.value' cannot be replaced for timing.",
            "Name the method of its class instead.",
        ),
        ("scoring:rows", "The stage 'scoring:rows' returns before its work is done.", "Name a plain function."),
    ],
)
def test_a_stage_that_cannot_be_timed_is_refused(path: str, message: str, hint: str) -> None:
    load_model("scoring:score", trust=False)
    with pytest.raises(UsageError) as caught:
        resolve_stage_functions([path])
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_an_inherited_method_is_a_stage_of_the_class_that_defines_it(project: Path) -> None:
    (project / "scoring.py").write_text(f"{MODULE}\nclass Child(Scorer):\n    pass\n")
    load_model("scoring:score", trust=False)
    with pytest.raises(UsageError, match="no plain method of Child itself") as caught:
        resolve_stage_functions(["scoring:Child.predict"])
    assert caught.value.hint == "Name the class that defines it."
    assert resolve_stage_functions(["scoring:Scorer.predict"])[0].name == "Scorer.predict"
