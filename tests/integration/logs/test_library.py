"""`from perfcli import performance_monitor`, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import perfcli

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script that uses perfcli as a library and return what it logged."""

    def logged(script: str, **environment: str) -> list[dict[str, Any]]:
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(script))
        settings = {"XDG_STATE_HOME": str(tmp_path), "ENABLE_PERFORMANCE_MONITORING": "true", **environment}
        settings["PYTHONPATH"] = str(Path(perfcli.__file__).parents[1])
        inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        result = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", str(path)],
            env=inherited | settings,
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, result.stderr.decode()
        assert result.stderr == b""
        return [orjson.loads(line) for line in result.stdout.splitlines()]

    return logged


def test_the_three_calls_of_the_original_log_one_prediction(run: Run) -> None:
    (record,) = run("""
        from perfcli import performance_monitor
        with performance_monitor.profile():
            result = sorted(range(1000))
        metrics = performance_monitor.get_metrics()
        performance_monitor.log_metrics(metrics)
    """)
    assert (record["level"], record["logger"]) == ("INFO", "perfcli.performance")
    assert list(record["performance_metrics"])[:7] == [
        "inference_time_ms",
        "cpu_time_ms",
        "memory_mb",
        "memory_delta_mb",
        "function_calls",
        "latency_ms",
        "top_functions",
    ]


def test_switched_off_it_logs_nothing(run: Run) -> None:
    script = """
        from perfcli import performance_monitor, profiled
        with performance_monitor.profile():
            pass
        performance_monitor.log_metrics(performance_monitor.get_metrics())
        profiled(len)([])
    """
    assert run(script, ENABLE_PERFORMANCE_MONITORING="false") == []


def test_above_its_level_it_logs_nothing(run: Run) -> None:
    script = """
        from perfcli import profiled
        profiled(lambda: None)()
    """
    assert run(script, LOG_LEVEL="WARNING") == []
    assert len(run(script, LOG_LEVEL="INFO")) == 1


def test_children_of_multiprocessing_deliver_before_they_end(run: Run) -> None:
    records = run("""
        import multiprocessing
        from perfcli import profiled
        @profiled
        def work(number):
            return number
        def main(number):
            for _ in range(10):
                work(number)
        if __name__ == "__main__":
            work(0)
            context = multiprocessing.get_context("fork")
            children = [context.Process(target=main, args=(number,)) for number in range(3)]
            for child in children:
                child.start()
            for child in children:
                child.join()
    """)
    writers = [record["event.id"].partition("-")[0] for record in records]
    assert sorted(writers.count(writer) for writer in set(writers)) == [1, 10, 10, 10]


def test_a_dead_store_costs_the_service_nothing_but_a_word(run: Run, tmp_path: Path) -> None:
    script = """
        import logging, sys
        logging.getLogger("perfcli.logs").setLevel(logging.CRITICAL)
        from perfcli import profiled
        for _ in range(50):
            profiled(lambda: None)()
    """
    assert run(script, LOGGING_HANDLER="redis", REDIS_URL="redis://127.0.0.1:1") == []
    (folder,) = (tmp_path / "perfcli").iterdir()
    lines = [line for path in folder.glob("*.batch") for line in path.read_bytes().splitlines()]
    assert len(lines) == 50
