"""From profiled calls to the table of functions, with the profiler's cost taken off where that can be done."""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType

from perfcli.profiling.call_graph import CallGraph, Times, describe, main_callers, merge, prediction_entries
from perfcli.profiling.correction import Corrected, calibrate, correct
from perfcli.profiling.sampling import ProfiledSample, Round
from perfcli.records import FunctionTime, Overhead
from perfcli.statistics import median, outliers


def function_profile(rounds: Sequence[Round]) -> tuple[CallGraph, Overhead, tuple[FunctionTime, ...]]:
    """Return the merged graph, what profiling cost, and the functions by self time, the most expensive first."""
    profiled = [sample for round_ in rounds for sample in round_.profiled]
    plain_s = [sample.wall_s for round_ in rounds for sample in round_.plain]
    if not profiled:
        return {}, Overhead(None, None, None, None, corrected=False, profiled_runs=0), ()
    kept = _without_outliers(profiled)
    graph = merge(sample.profiler for sample in kept)
    calls = sum(node.times.calls for node in graph.values()) / len(kept)
    complete = [round_ for round_ in rounds if round_.plain and round_.profiled]
    calibration = (
        calibrate(
            [[sample.wall_s for sample in round_.plain] for round_ in complete],
            [[_profiled_s(sample) for sample in round_.profiled] for round_ in complete],
            calls,
        )
        if calls
        else None
    )
    corrected = calibration is not None and calibration.trustworthy
    overhead = Overhead(
        ratio=median([sample.wall_s for sample in profiled]) / median(plain_s) if plain_s else None,
        seconds_per_call=None if calibration is None else calibration.seconds_per_call,
        ci_low=None if calibration is None else calibration.low,
        ci_high=None if calibration is None else calibration.high,
        corrected=corrected,
        profiled_runs=len(kept),
    )
    freed = correct(graph, calibration.seconds_per_call) if calibration is not None and corrected else {}
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


def _without_outliers(profiled: Sequence[ProfiledSample]) -> list[ProfiledSample]:
    """Leave out calls that something else slowed down: a mean over few calls does not forgive them."""
    strange = set(outliers([sample.wall_s for sample in profiled]))
    return [sample for position, sample in enumerate(profiled) if position not in strange]


def _profiled_s(sample: ProfiledSample) -> float:
    """Return the duration as the profiler accounts for it: switching it on and off is no part of any function."""
    return sum(entry.inlinetime for entry in prediction_entries(sample.profiler))


def _seen(times: Times) -> tuple[float, float]:
    return times.self_s, times.cumulative_s
