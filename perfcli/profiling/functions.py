"""From profiled calls to the table of functions, with the profiler's cost taken off where that can be done."""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType

from perfcli.monitor.functions import describe
from perfcli.profiling.call_graph import CallGraph, Times, main_callers, merge, prediction_entries
from perfcli.profiling.correction import Calibration, Corrected, calibrate, correct
from perfcli.profiling.sampling import ProfiledSample, Round
from perfcli.records import FunctionTime, Overhead
from perfcli.statistics import median, outliers


def function_profile(rounds: Sequence[Round], payloads: int) -> tuple[CallGraph, Overhead, tuple[FunctionTime, ...]]:
    """Return the merged graph, what profiling cost, and the functions by self time, the most expensive first.

    With one payload the corrected functions add up to the median of the unprofiled calls. With several, whose durations
    differ, a median would be that of one of them, and they add up to the mean.
    """
    profiled = [sample for round_ in rounds for sample in round_.profiled]
    walls_s = [wall_s for round_ in rounds for wall_s in round_.walls_s]
    if not profiled:
        return {}, Overhead(None, None, None, None, corrected=False, profiled_runs=0), ()
    kept = [profiled[position] for position in _ordinary([sample.wall_s for sample in profiled])]
    graph = merge(sample.profiler for sample in kept)
    calls = sum(node.times.calls for node in graph.values()) / len(kept)
    calibration = _calibrate(rounds, calls) if calls and walls_s else None
    corrected = calibration is not None and calibration.trustworthy
    overhead = Overhead(
        ratio=median([sample.wall_s for sample in profiled]) / median(walls_s) if walls_s else None,
        seconds_per_call=None if calibration is None else calibration.seconds_per_call,
        ci_low=None if calibration is None else calibration.low,
        ci_high=None if calibration is None else calibration.high,
        corrected=corrected,
        profiled_runs=len(kept),
    )
    freed = correct(graph, _typical(walls_s, payloads) * len(kept)) if corrected else {}
    return graph, overhead, function_times(graph, freed, len(kept))


def function_times(
    graph: CallGraph, freed: dict[CodeType | str, Corrected], predictions: int
) -> tuple[FunctionTime, ...]:
    """Return the functions per prediction, by self time; a function that is not in `freed` keeps its profiled time."""
    callers = main_callers(graph)
    times = {code: freed.get(code, Corrected(*_seen(node.times))) for code, node in graph.items()}
    total_s = sum(seconds.self_s for seconds in times.values())
    functions = []
    for code, node in graph.items():
        name, file, line = describe(code)
        functions.append(
            FunctionTime(
                function=name,
                file=file,
                line=line,
                calls=node.times.calls / predictions,
                self_s=times[code].self_s / predictions,
                cumulative_s=times[code].cumulative_s / predictions,
                profiled_self_s=node.times.self_s / predictions,
                profiled_cumulative_s=node.times.cumulative_s / predictions,
                share=times[code].self_s / total_s if total_s else 0.0,
                called_by=describe(callers[code])[0] if code in callers else "",
            )
        )
    return tuple(sorted(functions, key=lambda function: function.self_s, reverse=True))


def _calibrate(rounds: Sequence[Round], calls_per_prediction: float) -> Calibration | None:
    complete = [round_ for round_ in rounds if round_.walls_s and round_.profiled]
    return calibrate(
        [round_.walls_s for round_ in complete],
        [[_profiled_s(sample) for sample in round_.profiled] for round_ in complete],
        calls_per_prediction,
    )


def _typical(walls_s: Sequence[float], payloads: int) -> float:
    if payloads == 1:
        return median(walls_s)
    ordinary = _ordinary(walls_s)
    return sum(walls_s[position] for position in ordinary) / len(ordinary)


def _ordinary(durations_s: Sequence[float]) -> list[int]:
    """Return the positions of all but the calls that something else must have slowed down: a mean forgives nothing.

    Ten robust standard deviations spare payloads that differ.
    """
    strange = set(outliers(durations_s, threshold=10))
    return [position for position in range(len(durations_s)) if position not in strange]


def _profiled_s(sample: ProfiledSample) -> float:
    """Return the duration as the profiler accounts for it: switching it on and off is no part of any function."""
    return sum(entry.inlinetime for entry in prediction_entries(sample.profiler))


def _seen(times: Times) -> tuple[float, float]:
    return times.self_s, times.cumulative_s
