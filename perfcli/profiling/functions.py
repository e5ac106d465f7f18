"""From profiled calls to the table of functions, with the profiler's cost taken off where that can be done."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean
from types import CodeType

from perfcli.monitor.functions import describe
from perfcli.profiling.call_graph import CallGraph, Times, main_callers, merge
from perfcli.profiling.correction import Calibration, Corrected, calibrate, correct
from perfcli.profiling.rounds import ProfiledCalls, Round
from perfcli.records import FunctionTime, Overhead
from perfcli.statistics import mean_of_medians, median, outliers


def function_profile(rounds: Sequence[Round], payloads: int) -> tuple[CallGraph, Overhead, tuple[FunctionTime, ...]]:
    """Return the merged graph, what profiling cost, and the functions by self time, the most expensive first.

    The corrected functions add up to the median of the unprofiled calls; with several payloads, whose durations differ,
    to the mean over the payloads of their medians.
    """
    profiled = _comparable([made for round_ in rounds for made in round_.profiled], payloads)
    walls_s = [wall_s for round_ in rounds for wall_s in round_.walls_s]
    if not profiled:
        return {}, Overhead(), ()
    graph = merge(made.entries for made in profiled)
    predictions = sum(len(made.walls_s) for made in profiled)
    calls = sum(node.times.calls for node in graph.values()) / predictions
    calibration = _calibrate(rounds, calls, payloads) if calls and walls_s else None
    corrected = calibration is not None and (
        calibration.trustworthy or calibration.is_negligible(calls, mean_of_medians(walls_s, payloads))
    )
    overhead = Overhead(
        ratio=_ratio(profiled, walls_s, payloads) if walls_s else None,
        seconds_per_call=None if calibration is None else calibration.seconds_per_call,
        ci_low=None if calibration is None else calibration.low,
        ci_high=None if calibration is None else calibration.high,
        corrected=corrected,
        profiled_runs=predictions,
    )
    freed = {}
    if corrected:
        quiet_s = mean_of_medians(_durations(profiled), payloads) - _switching_s(profiled)
        freed = correct(graph, mean_of_medians(walls_s, payloads) * predictions, quiet_s * predictions)
    return graph, overhead, function_times(graph, freed, predictions)


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


def _calibrate(rounds: Sequence[Round], calls_per_prediction: float, payloads: int) -> Calibration | None:
    complete = [round_ for round_ in rounds if round_.walls_s and round_.profiled]
    if not complete:
        return None
    # One call that lost the processor would decide the mean of its block; but payloads may differ as they like.
    middle = median if payloads == 1 else fmean
    switching_s = median([_switching_s(round_.profiled) for round_ in complete])
    return calibrate(
        [(middle(round_.walls_s), middle(_durations(round_.profiled)) - switching_s) for round_ in complete],
        calls_per_prediction,
    )


def _switching_s(profiled: Sequence[ProfiledCalls]) -> float:
    """Return what it takes to switch the profiler on and off around a call: no part of any function."""
    durations = _durations(profiled)
    return (sum(durations) - sum(entry.inlinetime for made in profiled for entry in made.entries)) / len(durations)


def _ratio(profiled: Sequence[ProfiledCalls], walls_s: Sequence[float], payloads: int) -> float:
    return mean_of_medians(_durations(profiled), payloads) / mean_of_medians(walls_s, payloads)


def _comparable(profiled: Sequence[ProfiledCalls], payloads: int) -> list[ProfiledCalls]:
    """Leave out what would give the mean over all calls a slant.

    Of one payload, the blocks with a call that something else must have slowed down. Of several, which may differ by as
    much as they like, the last turn if it is not complete.
    """
    if payloads > 1:
        ends = accumulate(len(made.walls_s) for made in profiled)
        whole = max((number for number, end in enumerate(ends, 1) if end % payloads == 0), default=len(profiled))
        return list(profiled[:whole])
    durations = _durations(profiled)
    strange = {durations[position] for position in outliers(durations, threshold=10)} if durations else set()
    return [made for made in profiled if strange.isdisjoint(made.walls_s)] or list(profiled)


def _durations(profiled: Sequence[ProfiledCalls]) -> list[float]:
    return [wall_s for made in profiled for wall_s in made.walls_s]


def _seen(times: Times) -> tuple[float, float]:
    return times.self_s, times.cumulative_s
