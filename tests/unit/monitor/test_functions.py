"""What is read out of a profile, against pstats."""

import cProfile
import itertools
import pstats
import sys
from collections.abc import Callable

import pytest

from perfcli.logs import LogDelivery
from perfcli.logs.library import open_monitor
from perfcli.monitor import Block
from perfcli.monitor.functions import count_calls, describe, prediction_entries, top_functions
from perfcli.settings import load_settings


def recursive(depth: int) -> int:
    return 0 if depth == 0 else 1 + recursive(depth - 1)


def busy() -> int:
    return sum(number * number for number in range(20_000))


def wrapper() -> int:
    return inner_wrapper()


def inner_wrapper() -> int:
    return busy() + recursive(5)


def profile(function: Callable[[], object]) -> cProfile.Profile:
    """Profile by a clock that moves on by a microsecond each time it is read, so that no interruption takes time."""
    profiler = cProfile.Profile(itertools.count().__next__, 1e-6, subcalls=False, builtins=False)
    profiler.enable()
    function()
    profiler.disable()
    return profiler


def test_calls_and_times_are_those_of_pstats() -> None:
    profiler = profile(wrapper)
    entries = prediction_entries(profiler.getstats())
    truth = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    assert count_calls(entries) == sum(row[1] for row in truth.values())
    for function in top_functions(entries):
        (row,) = [row for key, row in truth.items() if key[1] == function.line and function.line] or [None]
        if row is not None:
            assert (function.calls, function.total_time_s, function.cumulative_time_s) == (row[1], row[2], row[3])


def test_recursive_calls_are_all_counted() -> None:
    entries = prediction_entries(profile(lambda: recursive(9)).getstats())
    by_name = {function.function: function for function in top_functions(entries)}
    assert by_name["recursive"].calls == 10


def test_functions_that_only_hand_on_are_left_out() -> None:
    entries = prediction_entries(profile(wrapper).getstats())
    names = [function.function for function in top_functions(entries)]
    assert "wrapper" not in names
    assert "inner_wrapper" not in names
    assert "busy.<locals>.<genexpr>" in names


def test_at_most_five_are_shown_the_longest_first() -> None:
    functions = [eval(f"lambda: sum(range({size}))") for size in range(1000, 9000, 1000)]
    entries = prediction_entries(profile(lambda: [function() for function in functions]).getstats())
    times = [function.cumulative_time_s for function in top_functions(entries)]
    assert len(times) == 5
    assert times == sorted(times, reverse=True)


def test_an_empty_profile_has_no_functions() -> None:
    assert top_functions([]) == ()
    assert count_calls([]) == 0


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("<built-in method builtins.len>", "len"),
        ("<built-in method numpy.array>", "numpy.array"),
        ("<method 'append' of 'list' objects>", "list.append"),
        ("<something else>", "<something else>"),
    ],
)
def test_a_builtin_has_its_real_name(label: str, name: str) -> None:
    assert describe(label) == (name, "", 0)


def test_a_function_has_its_qualified_name_and_a_file_relative_to_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = pytest.raises.__code__
    name, file, line = describe(code)
    assert (name, file, line) == ("raises", "_pytest/raises.py", code.co_firstlineno) or file.startswith("_pytest/")
    assert not any(file.startswith(folder) for folder in sys.path if folder)


def test_what_the_monitor_and_the_log_do_in_the_middle_of_a_block_is_no_call_of_the_prediction() -> None:
    delivery = LogDelivery([])
    delivery.start()
    monitor = open_monitor(load_settings({"enable_performance_monitoring": True}), delivery)

    @monitor.profiled
    def inner() -> int:
        return recursive(0)

    with monitor.profile() as block:
        inner()
        monitor.log_metrics(monitor.get_metrics())
    delivery.close()
    assert isinstance(block, Block)
    functions = block.document()["top_functions"]
    assert isinstance(functions, list)
    names = {function["function"].rpartition(".")[2] for function in functions}
    # What dataclasses generate is in no file, and so is the making of a log entry.
    assert names - {"__init__"} == {"inner", "recursive"}
