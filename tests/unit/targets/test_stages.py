"""Stages are timed by what happens inside them, and nothing is left behind.

The work of a step is an advance of a fake clock, so that every expected time is exact.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from time import perf_counter
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from perfcli.targets.pipeline_steps import find_steps
from perfcli.targets.protocol import StageTime
from perfcli.targets.stage_functions import StageFunction, resolve_stage_functions
from perfcli.targets.stages import StageStopwatch, timed_stages

MATRIX = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
LABELS = [0, 1, 0, 1]


class FakeClock:
    """Time that passes only when work is done; each reading costs nothing."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def work(self, milliseconds: int) -> None:
        self.now_ns += milliseconds * 1_000_000


CLOCK = FakeClock()


class Work(TransformerMixin, BaseEstimator):
    """A transformer that takes a known time."""

    def __init__(self, milliseconds: int = 1) -> None:
        self.milliseconds = milliseconds

    def fit(self, matrix: object, y: object = None) -> Work:
        self.n_features_in_ = 2
        return self

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        CLOCK.work(self.milliseconds)
        return matrix + 1


class Judge(ClassifierMixin, BaseEstimator):
    """A classifier whose predict calls its own predict_proba, as a forest does."""

    def fit(self, matrix: object, y: object = None) -> Judge:
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        CLOCK.work(5)
        return np.full((len(matrix), 2), 0.5)

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        CLOCK.work(1)
        return self.predict_proba(matrix).argmax(axis=1)


def seconds(milliseconds: int) -> float:
    return milliseconds / 1e3


def simple_pipeline() -> Pipeline:
    return Pipeline([("clean", Work(2)), ("scale", Work(3)), ("judge", Judge())]).fit(MATRIX, LABELS)


def times_of(model: object, call: Callable[[], object], method: str = "predict") -> Mapping[str, StageTime]:
    with timed_stages(model, method, (), CLOCK) as clock:
        call()
        return clock.take()


def test_every_step_has_its_own_time_and_the_pipeline_the_rest() -> None:
    model = simple_pipeline()
    assert times_of(model, lambda: model.predict(MATRIX)) == {
        "Pipeline": StageTime(0.0, 1),
        "clean": StageTime(seconds(2), 1),
        "scale": StageTime(seconds(3), 1),
        "judge": StageTime(seconds(6), 1),
    }


def test_nested_containers_give_paths_and_keep_only_their_own_time() -> None:
    class Busy(ColumnTransformer):
        def _hstack(self, parts: object, *, n_samples: int) -> object:
            CLOCK.work(7)
            return super()._hstack(parts, n_samples=n_samples)

    frame = pd.DataFrame(MATRIX, columns=["age", "income"])
    numeric = Pipeline([("scale", Work(2)), ("clip", Work(4))])
    columns = Busy([("numeric", numeric, ["age"]), ("raw", "passthrough", ["income"])])
    union = FeatureUnion([("plain", Work(8)), ("none", "drop")])
    model = Pipeline([("preprocess", columns), ("union", union), ("judge", Judge())]).fit(frame, LABELS)
    times = times_of(model, lambda: model.predict(frame))
    own = {name: round(time.self_s * 1e3) for name, time in times.items()}
    assert own == {
        "Pipeline": 0,
        "preprocess": 7,
        "preprocess/numeric": 0,
        "preprocess/numeric/scale": 2,
        "preprocess/numeric/clip": 4,
        "preprocess/raw": 0,
        "union": 0,
        "union/plain": 8,
        "judge": 6,
    }


def test_an_estimator_without_steps_has_no_stages() -> None:
    model = Judge().fit(MATRIX)
    assert times_of(model, lambda: model.predict(MATRIX)) == {}


def test_each_take_is_one_prediction() -> None:
    model = simple_pipeline()
    with timed_stages(model, "predict", (), CLOCK) as clock:
        model.predict(MATRIX)
        first = clock.take()
        model.predict(MATRIX)
        assert clock.take() == first
        assert clock.take() == {}


def test_a_transform_that_runs_twice_on_the_same_input_is_a_repetition() -> None:
    model = simple_pipeline()

    def both() -> None:
        model.predict(MATRIX)
        model.predict_proba(MATRIX)

    times = times_of(model, both)
    # The second step gets an equal but new matrix; the last step is asked two different questions.
    assert times["clean"] == StageTime(seconds(4), 2, seconds(2))
    assert times["scale"] == StageTime(seconds(6), 2, seconds(3))
    assert times["judge"] == StageTime(seconds(11), 2, 0.0)


def test_the_same_step_on_other_input_is_no_repetition() -> None:
    model = simple_pipeline()

    def rows() -> None:
        for row in MATRIX:
            model.predict(row.reshape(1, -1))

    assert times_of(model, rows)["clean"] == StageTime(seconds(8), 4, 0.0)


def test_equal_frames_with_missing_values_are_the_same_input() -> None:
    stopwatch = StageStopwatch(CLOCK)
    timed = stopwatch.wrap("stage", lambda frame: CLOCK.work(1))
    for _ in range(2):
        timed(pd.DataFrame({"age": [1.0, np.nan]}))
    timed(pd.DataFrame({"age": [1.0, 2.0]}))
    assert stopwatch.take()["stage"] == StageTime(seconds(3), 3, seconds(1))


@pytest.mark.parametrize(
    ("first", "second", "repeated"),
    [
        (((1,), {}), ((1,), {}), True),
        (((1,), {}), ((1.0,), {}), False),
        ((("a",), {"n": 1}), (("a",), {"n": 2}), False),
        ((("a",), {"n": 1}), (("a",), {"m": 1}), False),
        (((), {}), ((), {}), False),
        ((([1],), {}), (([1],), {}), False),
        (((np.array([1, np.nan]),), {}), ((np.array([1, np.nan]),), {}), True),
        (((np.array([1, 2]),), {}), ((np.array([1, 2], dtype=np.int8),), {}), False),
        (((np.array([[1, 2]]),), {}), ((np.array([1, 2]),), {}), False),
        (((np.array(["a"], dtype=object),), {}), ((np.array(["a"], dtype=object),), {}), False),
    ],
)
def test_what_counts_as_the_same_input(first: tuple, second: tuple, repeated: bool) -> None:
    stopwatch = StageStopwatch(CLOCK)
    timed = stopwatch.wrap("stage", lambda *arguments, **keywords: CLOCK.work(1))
    for arguments, keywords in (first, second):
        timed(*arguments, **keywords)
    assert stopwatch.take()["stage"].repeated_s == (seconds(1) if repeated else 0.0)


def test_instances_are_as_before_also_after_an_error() -> None:
    model = simple_pipeline()
    clean = model.named_steps["clean"]
    own = clean.transform
    clean.transform = own
    model.named_steps["scale"].milliseconds = "not a number"
    before = [(estimator, dict(vars(estimator))) for _, estimator in (("", model), *model.steps)]
    with pytest.raises(TypeError), timed_stages(model, "predict", (), CLOCK):
        model.predict(MATRIX)
    assert clean.transform is own
    for estimator, attributes in before:
        assert list(vars(estimator).items()) == list(attributes.items())


def test_inside_the_block_the_methods_are_wrapped() -> None:
    model = simple_pipeline()
    with timed_stages(model, "predict", (), CLOCK):
        assert "transform" in vars(model.named_steps["clean"])
        assert "predict" in vars(model)


def broken(*_: object) -> None:
    raise ValueError("boom")


def test_a_stage_that_raises_leaves_the_clock_usable() -> None:
    stopwatch = StageStopwatch(CLOCK)

    def outer() -> None:
        CLOCK.work(1)
        with pytest.raises(ValueError, match="boom"):
            inner()
        CLOCK.work(2)

    inner = stopwatch.wrap("inner", broken)
    stopwatch.wrap("outer", outer)()
    assert stopwatch.take() == {"outer": StageTime(seconds(3), 1), "inner": StageTime(0.0, 1)}


def test_calls_of_other_threads_are_time_of_the_stage_that_waits() -> None:
    stopwatch = StageStopwatch(CLOCK)
    inner = stopwatch.wrap("inner", lambda: CLOCK.work(4))

    def outer() -> None:
        thread = threading.Thread(target=inner)
        thread.start()
        thread.join()

    stopwatch.wrap("outer", outer)()
    assert stopwatch.take() == {"outer": StageTime(seconds(4), 1)}


def test_a_wrapper_keeps_the_name_of_the_method() -> None:
    model = simple_pipeline()
    with timed_stages(model, "predict", (), CLOCK):
        assert model.predict_proba.__name__ == "predict_proba"


def test_a_container_that_runs_its_parts_in_parallel_is_one_stage() -> None:
    union = FeatureUnion([("a", Work(1)), ("b", Work(2))])
    model = Pipeline([("union", union), ("judge", Judge())]).fit(MATRIX, LABELS)
    union.n_jobs = 2
    assert [step.name for step in find_steps(model)] == ["Pipeline", "union", "judge"]


class Service:
    """An object of the user's own around a pipeline, as in most services."""

    def __init__(self, held: object) -> None:
        self.held = held
        self.itself = self


SHARED = simple_pipeline()


def predict_with_global(payload: object) -> object:
    return SHARED.predict(payload)


def test_a_pipeline_is_found_in_whatever_holds_it() -> None:
    expected = ["Pipeline", "clean", "scale", "judge"]
    local = simple_pipeline()
    for holder in (
        Service(local),
        Service({"model": local}),
        Service([1, Service(local)]),
        Service(local).held.predict,
        predict_with_global,
        lambda payload: local.predict(payload),
    ):
        assert [step.name for step in find_steps(holder)] == expected


def test_a_function_whose_closure_is_not_filled_yet_holds_nothing() -> None:
    def predict(payload: object) -> object:
        return later.predict(payload)

    assert find_steps(predict) == []
    later = simple_pipeline()
    assert [step.name for step in find_steps(predict)] == ["Pipeline", "clean", "scale", "judge"]


def test_of_several_pipelines_the_fitted_ones_count_and_are_named_by_their_place() -> None:
    unfitted = Pipeline([("scale", StandardScaler()), ("tree", DecisionTreeClassifier())])
    both = Service({"small": simple_pipeline(), "large": simple_pipeline(), "new": unfitted})
    assert [step.name for step in find_steps(both)] == [
        f"held[{key}]{step}" for key in ("small", "large") for step in ("", "/clean", "/scale", "/judge")
    ]


def test_a_search_over_pipelines_shows_the_best_one() -> None:
    unfitted = Pipeline([("scale", StandardScaler()), ("tree", DecisionTreeClassifier())])
    search = GridSearchCV(unfitted, {"tree__max_depth": [1]}, cv=2).fit(MATRIX, LABELS)
    steps = find_steps(search)
    assert [step.name for step in steps] == ["Pipeline", "scale", "tree"]
    assert steps[0].estimator is search.best_estimator_


def test_a_real_clock_gives_the_shares_of_real_work() -> None:
    spent_s: dict[str, float] = {}

    def spinning(name: str, for_s: float) -> Callable[[np.ndarray], np.ndarray]:
        def spin(matrix: np.ndarray) -> np.ndarray:
            started = perf_counter()
            while perf_counter() - started < for_s:
                pass
            spent_s[name] = perf_counter() - started
            return matrix

        return spin

    works = {"parse": 0.002, "encode": 0.006, "scale": 0.004}
    model = Pipeline([(name, FunctionTransformer(spinning(name, for_s))) for name, for_s in works.items()]).fit(MATRIX)
    errors: dict[str, list[float]] = {name: [] for name in works}
    with timed_stages(model, "transform", ()) as clock:
        for _ in range(15):
            model.transform(MATRIX)
            times = clock.take()
            whole_s, truth_s = sum(time.self_s for time in times.values()), sum(spent_s.values())
            for name, time in times.items():
                if name in works:
                    errors[name].append(time.self_s / whole_s - spent_s[name] / truth_s)
    # Of the median run: on a busy machine some are interrupted between the two ways of looking at the clock.
    assert {name: abs(median(found)) < 0.04 for name, found in errors.items()} == dict.fromkeys(works, True)


def test_a_step_used_twice_is_wrapped_once() -> None:
    shared = Work(2)
    model = Pipeline([("first", shared), ("second", shared), ("judge", Judge())]).fit(MATRIX, LABELS)
    times = times_of(model, lambda: model.predict(MATRIX))
    assert times["first"] == StageTime(seconds(4), 2)
    assert "second" not in times


@pytest.fixture
def modules() -> Iterator[tuple[ModuleType, ModuleType]]:
    """Two modules that hold the same function, under two names."""
    features, service = ModuleType("fake_features"), ModuleType("fake_service")
    exec("def clean(x, work):\n    work(3)\n    return x\n", vars(features))
    service.tidy = features.clean
    exec("def predict(x, work):\n    work(1)\n    return tidy(x, work)\n", vars(service))
    exec("class Model:\n    def clean(self, work):\n        work(2)\n", vars(service))
    sys.modules |= {"fake_features": features, "fake_service": service}
    yield features, service
    del sys.modules["fake_features"], sys.modules["fake_service"]


def times_with(functions: tuple[StageFunction, ...], call: Callable[[], object]) -> Mapping[str, StageTime]:
    with timed_stages(None, "predict", functions, CLOCK) as clock:
        call()
        return clock.take()


def test_a_named_function_is_timed_wherever_it_was_imported(modules: tuple[ModuleType, ModuleType]) -> None:
    features, service = modules
    original = features.clean
    functions = resolve_stage_functions(["fake_features:clean", "fake_features:clean"])
    times = times_with(functions, lambda: service.predict(1, CLOCK.work))
    assert times == {"clean": StageTime(seconds(3), 1)}
    assert features.clean is original
    assert service.tidy is original


def test_a_method_of_a_class_or_of_an_object_can_be_a_stage(modules: tuple[ModuleType, ModuleType]) -> None:
    _, service = modules
    original = vars(service.Model)["clean"]
    service.model = service.Model()
    for path in ("fake_service:Model.clean", "fake_service:model.clean"):
        times = times_with(resolve_stage_functions([path]), lambda: service.model.clean(CLOCK.work))
        assert times == {path.partition(":")[2]: StageTime(seconds(2), 1)}
        assert vars(service.Model)["clean"] is original
        assert vars(service.model) == {}


def test_a_function_named_like_a_step_stays_apart(modules: tuple[ModuleType, ModuleType]) -> None:
    features, _ = modules
    model = simple_pipeline()
    with timed_stages(model, "predict", resolve_stage_functions(["fake_features:clean"]), CLOCK) as clock:
        model.predict(features.clean(MATRIX, CLOCK.work))
        times = clock.take()
    assert times["clean()"] == StageTime(seconds(3), 1)
    assert times["clean"] == StageTime(seconds(2), 1)


def test_the_shares_of_function_transformers_are_those_of_their_work() -> None:
    def spending(milliseconds: int) -> Callable[[np.ndarray], np.ndarray]:
        def work(matrix: np.ndarray) -> np.ndarray:
            CLOCK.work(milliseconds)
            return matrix

        return work

    truth = {"parse": 10, "encode": 55, "scale": 30, "round": 5}
    model = Pipeline([(name, FunctionTransformer(spending(time))) for name, time in truth.items()]).fit(MATRIX)
    times = times_of(model, lambda: model.transform(MATRIX), "transform")
    whole = sum(time.self_s for time in times.values())
    assert {name: times[name].self_s / whole for name in truth} == pytest.approx(
        {name: time / 100 for name, time in truth.items()}
    )
