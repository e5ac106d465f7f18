"""The published numbers against truths that perfcli has no part in, measured in turn within the same seconds."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
import numpy as np
import pytest

from perfcli.api.process import running_api
from perfcli.bundled import bundled_path
from perfcli.profiling import SamplingPlan, run_profile
from perfcli.profiling.functions import function_profile
from perfcli.profiling.rounds import Call
from perfcli.profiling.sampling import MAX_BLOCK_CALLS, MAX_SETTLING_CALLS, Sampler
from perfcli.targets.local import open_model
from perfcli.targets.protocol import StageTime
from perfcli.targets.remote import open_remote

PATIENT = json.loads(bundled_path("sample_payloads/malignant.json").read_text())
ATTEMPTS = 12  # The noise of other programs passes; a bias of ours would stay in every attempt.
FEWEST = 3  # So many that had a chance show a bias.
BUSY, STARVED = 0.05, 0.6
NOISY, STILL = 0.03, 0.01


class Attempt(NamedTuple):
    """What one comparison found.

    Attributes:
        median: Our median over that of a bare loop which runs in turn with our rounds.
        total: Our corrected total over the median of the bare loop; None when perfcli says that it did not correct.
        noise: How far a bare loop was from another bare loop, which has no reason to differ.
        lost: Share of their time in which bare loops did not have the processor, because something else had it.
    """

    median: float
    total: float | None
    noise: float
    lost: float

    @property
    def is_quiet(self) -> bool:
        return self.lost <= BUSY and self.noise <= NOISY

    def is_true(self, found: float | None, bound: float) -> bool:
        # Where two bare loops are far from each other, anything would do.
        return found is not None and self.noise <= NOISY and abs(found - 1) <= bound + 2 * self.noise


def bare_loop(call: Call) -> list[float]:
    """Return durations of a call, taken as anybody would take them."""
    durations = []
    for _ in range(MAX_SETTLING_CALLS + MAX_BLOCK_CALLS):
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return durations[MAX_SETTLING_CALLS:]


def compare(ours: Call, bare: Call, *, waits: bool) -> Attempt:
    sampler = Sampler([ours], SamplingPlan(max_time_s=4.0, min_runs=10**9), lambda: 0)
    sampler.warm_up()
    truths, ratios, controls = [], [], []
    wall_s = cpu_s = 0.0
    before = bare_loop(bare)
    for round_ in sampler.run():
        wall_s, cpu_s = wall_s - time.perf_counter(), cpu_s - time.thread_time()
        after = bare_loop(bare)
        wall_s, cpu_s = wall_s + time.perf_counter(), cpu_s + time.thread_time()
        if round_.walls_s:
            ratios.append(statistics.median(round_.walls_s) / statistics.median(before + after))
            controls.append(statistics.median(before) / statistics.median(after))
        truths += after
        before = after
    _, overhead, functions = function_profile(sampler.rounds, 1)
    total = sum(function.self_s for function in functions) / statistics.median(truths)
    return Attempt(
        median=statistics.median(ratios),
        total=total if overhead.corrected else None,
        noise=abs(statistics.median(controls) - 1),
        lost=0.0 if waits else 1 - cpu_s / wall_s,
    )


def rows(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 30))


def embedded() -> Iterator[tuple[Call, Call]]:
    target = open_model(None, None, trust=False)
    from perfcli.patient_model import patient_model

    yield target.prepare(PATIENT), lambda: patient_model.predict(PATIENT)


def forest() -> Iterator[tuple[Call, Call]]:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=20, random_state=0).fit(rows(200), rows(200)[:, 0] > 0)
    row = rows(1)
    yield lambda: model.predict(row), lambda: model.predict(row)


def pure_numpy() -> Iterator[tuple[Call, Call]]:
    weights, row = rows(30), rows(1)

    def predict() -> np.ndarray:
        values = row
        for _ in range(60):
            values = np.tanh(values @ weights.T / 30)
        return values

    yield predict, predict


def batch() -> Iterator[tuple[Call, Call]]:
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(n_estimators=20).fit(rows(300), rows(300)[:, 0] > 0)
    many = rows(2000)
    yield lambda: model.predict(many), lambda: model.predict(many)


def remote() -> Iterator[tuple[Call, Call]]:
    with running_api() as server, httpx.Client() as client:
        url = f"{server.base_url}/predict"
        target = open_remote(url, headers=(), timeout_s=10, insecure=False, http_method="POST")
        request = client.build_request("POST", url, json=PATIENT)
        yield target.prepare(PATIENT), lambda: client.send(request).raise_for_status()
        target.close()


@pytest.mark.parametrize("fixture", [embedded, forest, pure_numpy, batch, remote])
def test_the_median_is_that_of_a_bare_loop_and_the_corrected_total_too(fixture: Callable[[], Iterator]):
    pairs = fixture()
    ours, bare = next(pairs)
    found: list[Attempt] = []
    # A client waits for most of its time, and what cProfile adds to that drowns in the server's own scatter.
    total_matters = fixture is not remote
    while len(found) < ATTEMPTS and not is_shown(found, total_matters):
        found.append(compare(ours, bare, waits=fixture is remote))
        if len(found) >= ATTEMPTS // 2 and is_shown(found, False) and not any(attempt.is_quiet for attempt in found):
            break
    next(pairs, None)
    if not is_shown(found, total_matters) and sum(attempt.is_quiet for attempt in found) < FEWEST:
        # The median is to be right wherever bare loops agree. But beside others perfcli does not correct, and says so.
        steady = [attempt for attempt in found if attempt.noise <= NOISY and attempt.lost <= STARVED]
        assert is_shown(found, False) or len(steady) < FEWEST, found
        pytest.skip(f"THE CORRECTION IS NOT TESTED: the machine was too busy all the time: {found}")
    assert is_shown(found, total_matters), found


def is_shown(found: list[Attempt], total_matters: bool) -> bool:
    median_is_true = any(attempt.is_true(attempt.median, 0.02) for attempt in found)
    totals = [attempt for attempt in found if attempt.is_quiet or attempt.noise <= STILL]
    return median_is_true and (not total_matters or any(attempt.is_true(attempt.total, 0.03) for attempt in totals))


class SpinningModel:
    """Two stages and a rest, whose own stamps, a dictionary for each call, are the truth about their shares."""

    def __init__(self) -> None:
        self.stamps: list[dict[str, float]] = []

    def predict(self, _payload: object) -> int:
        self.stamps.append({})
        start = time.perf_counter()
        features(self)
        model(self)
        self.stamps[-1]["whole"] = time.perf_counter() - start
        return 1


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def features(of: SpinningModel) -> None:
    start = time.perf_counter()
    spin(0.003)
    of.stamps[-1]["features"] = time.perf_counter() - start


def model(of: SpinningModel) -> None:
    start = time.perf_counter()
    spin(0.001)
    of.stamps[-1]["model"] = time.perf_counter() - start


SPINNING = SpinningModel()


def test_stage_shares_are_those_of_the_model_s_own_stamps():
    names = [f"{__name__}:features", f"{__name__}:model"]
    target = open_model(f"{__name__}:SPINNING", "predict", trust=False, stage_functions=names)
    call = target.prepare({})
    taken: list[dict[str, StageTime]] = []
    with target.staged() as clock:
        SPINNING.stamps.clear()
        for _ in range(40):
            call()
            taken.append(dict(clock.take()))
    for stage in ("features", "model"):
        # Medians: between one watch and the other a thread may lose the processor, for as long as several calls take.
        pairs = list(zip(taken, SPINNING.stamps, strict=True))
        share = statistics.median(stages[stage].self_s / stamps["whole"] for stages, stamps in pairs)
        truth = statistics.median(stamps[stage] / stamps["whole"] for _, stamps in pairs)
        assert share == pytest.approx(truth, abs=0.02)


def sleeping(_payload: object) -> int:
    time.sleep(0.1)
    return 1


def planted_30_ms(_payload: object) -> int:
    sum(range(500))
    spin_30_ms()
    return 1


def spin_30_ms() -> None:
    end = time.perf_counter() + 0.030
    count = 0
    # The clock seldom: where it loses the processor for longer than is left, the clock itself would be first.
    while count % 8192 or time.perf_counter() < end:
        count += 1


def transient(_payload: object) -> int:
    return len(bytearray(40 * 2**20)) and 1


def test_sleeping_is_no_cpu_time():
    target = open_model(f"{__name__}:sleeping", None, trust=False)
    result = run_profile(target, [{}], SamplingPlan(runs=3)).result
    assert result.latency is not None
    assert result.cpu is not None
    assert result.latency.median_s >= 0.1
    # A collection of everybody's garbage is its work, too; the wall time would be 0.1.
    assert result.cpu.thread_s < 0.01


def test_a_transient_of_40_mib_is_the_peak_where_rss_says_nothing():
    target = open_model(f"{__name__}:transient", None, trust=False)
    result = run_profile(target, [{}], SamplingPlan(runs=5)).result
    assert result.memory is not None
    assert result.memory.peak_bytes is not None
    assert result.memory.peak_bytes / 2**20 == pytest.approx(40, abs=1)


def test_a_planted_function_is_first_in_every_run():
    target = open_model(f"{__name__}:planted_30_ms", None, trust=False)
    firsts = [run_profile(target, [{}], SamplingPlan(runs=2)).result.functions[0].function for _ in range(20)]
    assert firsts == ["spin_30_ms"] * 20
