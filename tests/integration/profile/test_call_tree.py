"""The call tree of the embedded model against its stages, which are timed without any profiler."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcli.bundled import bundled_path
from perfcli.profiling import SamplingPlan, run_profile
from perfcli.records import ProfileResult
from perfcli.targets.local import open_model
from perfcli.targets.remote import open_remote

PATIENT = json.loads(bundled_path("sample_payloads/malignant.json").read_text())
ATTEMPTS = 8  # The noise of other programs passes; a bias of ours would stay in every attempt.
FEWEST = 3  # So many that had a chance show a bias.
PLACES = {
    "engineer_features": "engineer_features",
    "scaler": "StandardScaler.transform",
    "classifier": "GradientBoostingClassifier.predict_proba",
}


def profile_once() -> ProfileResult:
    return run_profile(open_model(None, None, trust=False), [PATIENT], SamplingPlan(max_time_s=3)).result


def distances(result: ProfileResult) -> dict[str, float]:
    """Return by how much the share of each stage in the tree differs from that of its own clock."""
    assert result.call_tree
    shares = {stage.name: stage.share for stage in result.stages}
    whole_s = result.call_tree[0].cumulative_s
    in_tree = {node.function: node.cumulative_s / whole_s for node in reversed(result.call_tree)}
    return {stage: abs(shares[stage] - in_tree[function]) for stage, function in PLACES.items()}


def test_stage_shares_in_the_tree_are_within_5_points_of_those_of_the_stages():
    attempts: list[dict[str, float]] = []
    corrected = 0
    while len(attempts) < ATTEMPTS and not (attempts and max(attempts[-1].values()) < 0.05):
        result = profile_once()
        attempts.append(distances(result))
        corrected += result.overhead.corrected
    if max(attempts[-1].values()) >= 0.05 and corrected < FEWEST:
        # On a busy machine perfcli does not correct, and says so: the shares are then the profiler's.
        pytest.skip(f"THE SHARES ARE NOT TESTED: the machine was too busy all the time: {attempts}")
    assert max(attempts[-1].values()) < 0.05, attempts


def test_the_root_is_the_corrected_total_and_nothing_is_counted_twice():
    result = profile_once()
    assert result.call_tree
    total_s = sum(function.self_s for function in result.functions)
    assert result.call_tree[0].cumulative_s == pytest.approx(total_s, rel=1e-9)
    assert sum(node.self_s for node in result.call_tree) == pytest.approx(total_s, rel=1e-9)


def missing_functions(result: ProfileResult) -> list[str]:
    """Return the functions with more than a hundredth of the time that have no place in the tree."""
    assert result.call_tree
    placed = {(node.function, node.file) for node in result.call_tree}
    return [f.function for f in result.functions if f.share > 0.01 and (f.function, f.file) not in placed]


def test_every_function_that_matters_has_its_place():
    # A processor that is lost in a small function makes it matter, once.
    attempts: list[list[str]] = []
    while len(attempts) < ATTEMPTS and [] not in attempts:
        attempts.append(missing_functions(profile_once()))
    assert [] in attempts, attempts


ANSWER_S = 0.05


@pytest.fixture
def sleepy_url() -> Iterator[str]:
    """Return where a process of its own answers after ANSWER_S: cProfile watches all threads of this one on 3.12."""
    command = [sys.executable, str(Path(__file__).with_name("sleepy_server.py")), str(ANSWER_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/predict"
        server.kill()


def test_the_tree_of_a_remote_api_is_the_clients_and_shows_the_wait_where_it_waits(sleepy_url: str):
    target = open_remote(sleepy_url, headers=(), timeout_s=30, insecure=False, http_method="POST")
    result = run_profile(target, [PATIENT], SamplingPlan(max_time_s=3, runs=10)).result
    target.close()
    assert result.call_tree
    whole_s = result.call_tree[0].cumulative_s
    assert whole_s == pytest.approx(sum(function.self_s for function in result.functions), rel=1e-9)
    path: list[str] = []
    waiting: dict[tuple[str, ...], float] = {}
    for node in result.call_tree:
        path[node.depth :] = [node.function]
        if node.function.startswith("_socket.socket.recv"):
            waiting[tuple(path)] = node.cumulative_s
    (longest,) = [above for above, seconds in waiting.items() if seconds == max(waiting.values())]
    assert "HTTP11Connection.handle_request" in longest
    # No sleep ends early; the client's own work is a few milliseconds of each call, and some more where it is held up.
    assert waiting[longest] > ANSWER_S * 0.95
    assert waiting[longest] > whole_s / 2
