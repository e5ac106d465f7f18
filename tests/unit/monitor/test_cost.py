"""What a profile costs: per call, per prediction, and in sum."""

import cProfile
import functools
import statistics
import time
from collections.abc import Callable

import pytest

from perfcli.monitor import Block, Measurement, PerformanceMonitor, call_cost, deep
from perfcli.monitor.call_cost import CallCost, CallCosts, calibrate
from perfcli.monitor.own_cost import MonitorCost
from perfcli.monitor.sampling import Sampler


def block_a() -> None: ...


def block_b() -> None: ...


A, B = block_a.__code__, block_b.__code__


@pytest.fixture(autouse=True)
def _known_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_cost._calibration, "cost", CallCost(100.0, "calibration"))


def observe_pairs(costs: CallCosts, scatter_ns: int) -> None:
    """Let 10 000 calls cost 300 ns each, on top of 5 ms."""
    for number in range(20):
        noise_ns = scatter_ns if number % 2 else -scatter_ns
        costs.observe_plain(A, 5_000_000 + noise_ns)
        costs.observe_deep(A, 8_000_000 + noise_ns, 10_000)


def test_the_cost_per_call_comes_from_neighbours_that_were_not_profiled() -> None:
    costs = CallCosts()
    observe_pairs(costs, scatter_ns=100_000)
    cost = costs.of(A)
    assert cost is not None
    assert cost.source == "neighbours"
    assert cost.ns == pytest.approx(300)


def test_another_block_has_another_cost() -> None:
    costs = CallCosts()
    observe_pairs(costs, scatter_ns=0)
    assert costs.of(B) == CallCost(100.0, "calibration")


def test_neighbours_that_scatter_too_much_say_nothing() -> None:
    costs = CallCosts()
    # Two standard errors of the difference: 2 * sqrt(2) * 2 ms / sqrt(19) = 1.3 ms, beside the 3 ms that were added.
    observe_pairs(costs, scatter_ns=2_000_000)
    assert costs.of(A) == CallCost(100.0, "calibration")


def test_too_few_neighbours_say_nothing() -> None:
    costs = CallCosts()
    for _ in range(7):
        costs.observe_plain(A, 5_000_000)
        costs.observe_deep(A, 8_000_000, 10_000)
    assert costs.of(A) == CallCost(100.0, "calibration")


def test_a_profile_that_seems_to_cost_nothing_says_nothing() -> None:
    costs = CallCosts()
    for _ in range(20):
        costs.observe_plain(A, 5_000_000)
        costs.observe_deep(A, 4_000_000, 10_000)
    assert costs.of(A) == CallCost(100.0, "calibration")


def test_the_cost_follows_traffic_that_changes() -> None:
    costs = CallCosts()
    observe_pairs(costs, scatter_ns=0)
    for _ in range(5000):
        costs.observe_plain(A, 1_000_000)
        costs.observe_deep(A, 2_000_000, 10_000)
    cost = costs.of(A)
    assert cost is not None
    assert cost.ns == pytest.approx(100, rel=0.01)


def test_a_calibration_finds_what_a_call_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = []
    for _ in range(9):
        monkeypatch.setattr(call_cost._calibration, "cost", None)
        calibrate()
        costs.append(call_cost._calibration.cost)
    # One whose machine became slower or quicker in the middle may say anything, or nothing.
    known = [cost for cost in costs if cost is not None]
    assert len(known) >= 5
    assert {cost.source for cost in known} == {"calibration"}
    # A clock is read twice per call: less than 20 ns, or more than 5 us, has been seen on no machine.
    assert 20 < statistics.median(cost.ns for cost in known) < 5000


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a prediction of 100 calls whose profile costs 7 ns for each call; every third one is disturbed."""
    now_ns, made = [0], [0]

    def leaf() -> None: ...

    def predict() -> None:
        for _ in range(100):
            leaf()
        made[0] += 1
        now_ns[0] += 5_000_000 if made[0] % 3 == 0 else 1_000_000
        # The clock is read twice: 103 calls.
        now_ns[0] += 0 if deep.slot.profile is None else 103 * 7

    monkeypatch.setattr(call_cost, "thread_time_ns", lambda: now_ns[0])
    return predict


def test_a_calibration_on_a_prediction_finds_its_cost_also_where_the_machine_is_disturbed(
    predict: Callable[[], None],
) -> None:
    costs = CallCosts()
    costs.calibrate(predict)
    assert costs.of(A) == CallCost(7.0, "calibration")


def test_neighbours_know_better_than_a_calibration(predict: Callable[[], None]) -> None:
    costs = CallCosts()
    costs.calibrate(predict)
    observe_pairs(costs, scatter_ns=0)
    assert costs.of(A) == CallCost(pytest.approx(300), "neighbours")


def test_a_prediction_that_cannot_be_profiled_leaves_the_cost_as_it_was(predict: Callable[[], None]) -> None:
    costs = CallCosts()
    other = cProfile.Profile()
    other.enable()
    try:
        costs.calibrate(predict)
    finally:
        other.disable()
    assert costs.of(A) == CallCost(100.0, "calibration")


@pytest.mark.parametrize(("enabled", "share", "predictions"), [(True, 1.0, 66), (True, 0.0, 0), (False, 1.0, 0)])
def test_only_a_monitor_that_will_profile_is_calibrated(enabled: bool, share: float, predictions: int) -> None:
    made: list[int] = []
    monitor = PerformanceMonitor(lambda measurement: None, enabled=enabled, sample_rate=share)
    monitor.calibrate(lambda: made.append(1))
    assert len(made) == predictions


def test_without_any_knowledge_the_cost_is_unknown(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_cost._calibration, "cost", None)
    with monitor.profile():
        block_a()
    metrics = monitor.get_metrics()
    assert metrics is not None
    assert metrics["profiled"] is True
    assert metrics["profiler_overhead_ms"] is None
    assert metrics["profiler_overhead_source"] is None
    assert metrics["corrected_time_ms"] is None


def test_a_profiled_prediction_carries_its_cost_and_the_time_without_it(monitor: PerformanceMonitor) -> None:
    with monitor.profile():
        for _ in range(1000):
            block_a()
        sum(range(3_000_000))
    metrics = monitor.get_metrics()
    assert metrics is not None
    calls, overhead_ms = metrics["function_calls"], metrics["profiler_overhead_ms"]
    wall_ms, corrected_ms = metrics["inference_time_ms"], metrics["corrected_time_ms"]
    assert isinstance(calls, int)
    assert isinstance(wall_ms, float)
    assert isinstance(corrected_ms, float)
    assert overhead_ms == pytest.approx(calls * 100 / 1e6)
    assert corrected_ms == pytest.approx(wall_ms - calls * 100 / 1e6)
    assert metrics["profiler_overhead_source"] == "calibration"


def test_a_cost_above_the_whole_duration_is_not_believed(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A quarter of an hour per call, which no machine stands still.
    monkeypatch.setattr(call_cost._calibration, "cost", CallCost(1e12, "calibration"))
    with monitor.profile():
        block_a()
    metrics = monitor.get_metrics()
    assert metrics is not None
    assert metrics["corrected_time_ms"] is None


def test_a_prediction_that_was_not_profiled_cost_nothing(emitted: list[Measurement]) -> None:
    monitor = PerformanceMonitor(emitted.append, enabled=True, sample_rate=0.0)
    with monitor.profile():
        block_a()
    metrics = monitor.get_metrics()
    assert metrics is not None
    assert metrics["profiler_overhead_ms"] == 0.0
    assert metrics["corrected_time_ms"] == metrics["inference_time_ms"]
    assert metrics["profiler_overhead_source"] is None


def test_the_sums_of_a_process_are_exact() -> None:
    cost = MonitorCost()
    cost.add(wall_ns=9_000_000, monitor_ns=10_000, reason=None)
    cost.add(wall_ns=1_000_000, monitor_ns=10_000, reason="not sampled")
    cost.add_overhead(2_000_000)
    assert cost.document(0.5) == {
        "predictions": 2,
        "profiled": 1,
        "not_profiled": {"not sampled": 1},
        "sample_rate": 0.5,
        "predictions_ms": 10.0,
        "monitor_ms": 0.02,
        "profiler_overhead_ms": 2.0,
        "overhead_ratio": pytest.approx(2.02 / 8),
    }


def test_before_the_first_prediction_the_ratio_is_unknown() -> None:
    assert MonitorCost().document(1.0)["overhead_ratio"] is None


def test_blocks_are_added_up_also_where_nobody_reads_what_is_measured() -> None:
    cost = MonitorCost()
    for _ in range(1000):
        with Block(Sampler(0.0), cost):
            pass
    assert len(cost.unsettled) <= 100
    assert cost.document(0.0)["predictions"] == 1000
    assert len(cost.unsettled) == 0


def test_a_request_that_logs_metrics_of_its_own_leaves_no_blocks_behind() -> None:
    monitor = PerformanceMonitor(lambda measurement: None, enabled=True, sample_rate=0.0)
    for _ in range(1000):
        with monitor.request(), monitor.profile():
            monitor.log_metrics({"inference_time_ms": 1.0})
    assert len(monitor._cost.unsettled) <= 101
    assert monitor.cost()["predictions"] == 1000


def test_what_a_request_takes_for_others_that_nobody_read_is_its_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = MonitorCost()
    for _ in range(101):
        with Block(Sampler(0.0), MonitorCost()) as block:
            pass
        cost.unsettled.append(block)
    monkeypatch.setattr(block, "settle", lambda: time.sleep(0.002))
    cost.settle_if_many()
    assert (len(cost.unsettled), cost.document(0.0)["monitor_ms"]) == (0, 1.0)


def test_the_monitor_tells_what_it_did(monitor: PerformanceMonitor) -> None:
    with monitor.profile(), monitor.profile():
        block_a()
    cost = monitor.cost()
    assert (cost["predictions"], cost["profiled"]) == (2, 1)
    assert cost["not_profiled"] == {"an enclosing block is being profiled": 1}


def test_a_prediction_without_a_call_has_no_cost_per_call() -> None:
    costs = CallCosts()
    costs.calibrate(functools.partial(sum, range(3000)))
    calibrated = costs.of(A)
    assert calibrated is not None
    assert calibrated.ns > 0
