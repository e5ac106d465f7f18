"""A forked worker, as gunicorn --preload makes it: its own memory, a free slot, its own sums."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# In a process of its own: to fork the test process, with its threads, is an error from Python 3.12 on.
PRELUDE = """
import json, os, random, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import psutil
from perfcli.monitor import PerformanceMonitor

monitor = PerformanceMonitor(lambda measurement: None, enabled=True)

def leaf():
    return 1

def predict():
    with monitor.profile():
        leaf()
    return monitor.get_metrics()

def in_child(function):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        print(json.dumps(function()), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def run(script: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def test_a_forked_worker_reports_its_own_memory() -> None:
    reported, true = run("""
predict()
def worker():
    kept = b"x" * 200 * 2**20
    metrics = predict()
    return metrics["memory_mb"], psutil.Process().memory_info().rss / 2**20
in_child(worker)
""")  # type: ignore[misc]
    assert true > 200
    assert reported == pytest.approx(true, rel=0.02)


def test_a_worker_that_was_forked_beside_a_profiled_prediction_can_profile() -> None:
    result = run("""
begun, end = threading.Event(), threading.Event()
def slow():
    with monitor.profile():
        begun.set()
        end.wait(30)
thread = threading.Thread(target=slow)
thread.start()
begun.wait(30)
def worker():
    metrics = predict()
    functions = [function["function"] for function in metrics["top_functions"]]
    return metrics["profiled"], metrics["in_flight"], metrics["isolated"], functions
in_child(worker)
end.set()
thread.join()
""")
    assert result == [True, 1, True, ["leaf"]]


def test_a_block_that_forks_goes_on_in_parent_and_child() -> None:
    result = run("""
with monitor.profile() as block:
    child = os.fork()
    leaf()
calls_of_leaf = [entry.callcount for entry in block._profile.read() if entry.code is leaf.__code__]
metrics = monitor.get_metrics()
fine = [calls_of_leaf == [1], metrics["profiled"], predict()["function_calls"] == 1]
if child == 0:
    os._exit(7 if fine == [True] * 3 else 1)
print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *fine]))
""")
    assert result == [7, True, True, True]


def test_cpu_time_of_a_block_that_began_before_the_fork_is_unknown_in_the_child() -> None:
    result = run("""
burnt = [number * number for number in range(2_000_000)]
with monitor.profile():
    child = os.fork()
metrics = monitor.get_metrics()
times = [metrics[name] for name in ("cpu_time_ms", "process_cpu_time_ms", "wait_ms")]
if child == 0:
    os._exit(7 if times == [None] * 3 else 1)
print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), all(each >= 0 for each in times)]))
""")
    assert result == [7, True]


def test_a_worker_counts_from_its_own_start() -> None:
    result = run("""
predict(), predict()
in_child(lambda: (predict(), monitor.cost()["predictions"])[1])
""")
    assert result == 1


def test_two_workers_do_not_draw_the_same_predictions() -> None:
    result = run("""
from perfcli.monitor.sampling import Sampler
sampler = Sampler(0.5)
read, write = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        os.write(write, bytes(sampler.random() < sampler.rate for _ in range(64)))
        os._exit(0)
    os.wait()
draws = os.read(read, 64), os.read(read, 64)
print(json.dumps(draws[0] != draws[1]))
""")
    assert result is True
