"""What the profiler relies on, over every kind of target."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from time import perf_counter
from types import ModuleType

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from perfcli.bundled import bundled_path
from perfcli.errors import PerfcliError
from perfcli.payloads import Payload, read_payloads
from perfcli.targets.local import open_model
from perfcli.targets.protocol import Target
from perfcli.targets.remote import open_remote

ROWS = [[1.0, 2.0], [2.0, 1.0], [4.0, 3.0]]
FIRST: Payload = {"age": 1.0, "income": 2.0}
SECOND: Payload = {"age": 4.0, "income": 3.0}


def fitted_pipeline() -> Pipeline:
    import pandas as pd

    frame = pd.DataFrame(ROWS, columns=["age", "income"])
    return Pipeline([("scale", StandardScaler()), ("line", LinearRegression())]).fit(frame, [5.0, 4.0, 10.0])


def add_up(payload: dict[str, float]) -> float:
    """Predict what the pipeline predicts: age + 2 * income."""
    return payload["age"] + 2 * payload["income"]


@pytest.fixture
def module() -> Iterator[ModuleType]:
    module = ModuleType("fake_contract_models")
    module.pipeline = fitted_pipeline()
    module.function = add_up
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(add_up(body) if body else {"detail": "empty"}).encode()
        self.send_response(200 if body else 422)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/predict"
        server.shutdown()
        thread.join()


def open_saved(path: Path, dump: Callable[..., object]) -> Target:
    dump(fitted_pipeline(), path)
    return open_model(str(path), None, trust=True)


OPENERS: dict[str, Callable[[pytest.FixtureRequest], Target]] = {
    "estimator": lambda request: open_model(
        f"{request.getfixturevalue('module').__name__}:pipeline", None, trust=False
    ),
    "callable": lambda request: open_model(f"{request.getfixturevalue('module').__name__}:function", None, trust=False),
    "joblib": lambda request: open_saved(request.getfixturevalue("tmp_path") / "model.joblib", joblib.dump),
    "skops": lambda request: open_saved(request.getfixturevalue("tmp_path") / "model.skops", skops.io.dump),
    "remote": lambda request: open_remote(
        request.getfixturevalue("api"), headers=(), timeout_s=5.0, insecure=False, http_method="POST"
    ),
}


@pytest.fixture(params=OPENERS)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    target = OPENERS[request.param](request)
    yield target
    target.close()


def number(answer: object) -> float:
    return float(np.ravel(np.asarray(answer))[0])


def test_it_says_what_it_is(target: Target) -> None:
    assert target.kind in ("embedded", "model", "remote")
    assert target.name
    assert target.method in ("predict", "call", "POST")
    assert (target.load_s is None) == (target.kind == "remote")
    assert target.load_s is None or target.load_s > 0


def test_a_prepared_call_predicts_its_own_payload_every_time(target: Target) -> None:
    first, second = target.prepare(FIRST), target.prepare(SECOND)
    answers = [number(call()) for call in (first, second, first, second)]
    assert answers == pytest.approx([5.0, 10.0, 5.0, 10.0])


def test_the_payload_is_left_as_it_was(target: Target) -> None:
    payload: dict[str, object] = dict(FIRST) if isinstance(FIRST, dict) else {}
    target.prepare(payload)()
    assert payload == FIRST


def test_a_call_prepared_before_is_timed_inside_the_block_only(target: Target) -> None:
    call = target.prepare(FIRST)
    call()
    with target.staged() as clock:
        assert clock.take() == {}
        started = perf_counter()
        assert number(call()) == pytest.approx(5.0)
        whole_s = perf_counter() - started
        stages = clock.take()
        assert clock.take() == {}
    call()
    assert sum(stage.self_s for stage in stages.values()) <= whole_s
    assert all(stage.self_s > 0 and stage.calls == 1 and stage.repeated_s == 0 for stage in stages.values())
    assert bool(stages) == (target.method != "call")


def test_blocks_follow_each_other(target: Target) -> None:
    call = target.prepare(FIRST)
    call()
    names = []
    for _ in range(2):
        with target.staged() as clock:
            call()
            names.append(list(clock.take()))
    assert names[0] == names[1]


def test_a_payload_that_does_not_fit_is_one_line_of_ours(target: Target) -> None:
    with pytest.raises(PerfcliError) as caught:
        target.prepare({})()
    assert caught.value.message
    assert "\n" not in str(caught.value)


def test_only_a_far_side_has_a_view_of_its_own(target: Target) -> None:
    target.prepare(FIRST)()
    assert target.server_view() is None


def test_closing_twice_is_closing_once(target: Target) -> None:
    target.prepare(FIRST)()
    target.close()
    target.close()


def test_the_embedded_model_is_the_default_and_knows_its_stages() -> None:
    target = open_model(None, None, trust=False)
    assert (target.kind, target.name, target.method) == ("embedded", "perfcli.patient_model:patient_model", "predict")
    named = open_model("perfcli.patient_model:patient_model", "predict_proba", trust=False)
    assert (named.kind, named.method) == ("embedded", "predict_proba")
    (payload,) = read_payloads(str(bundled_path("sample_payloads/malignant.json")))
    call = target.prepare(payload)
    assert call() == [1]
    shares = []
    with target.staged() as clock:
        for _ in range(25):
            started = perf_counter()
            call()
            whole_s = perf_counter() - started
            stages = clock.take()
            shares.append(sum(stage.self_s for stage in stages.values()) / whole_s)
            assert list(stages) == ["to_frame", "engineer_features", "Pipeline", "scaler", "classifier"]
    assert all(share <= 1 for share in shares)
    # The median: a machine that is interrupted between two stages is no fault of theirs.
    assert median(shares) >= 0.95
