"""Which stages, functions or endpoints take more or less time than before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfcli.records import FunctionTime, ProfileResult
from perfcli.records.comparison import Movement, Part
from perfcli.records.load import LoadResult

MAX_FUNCTIONS = 20


def find_movements(
    base: ProfileResult | LoadResult,
    new: ProfileResult | LoadResult,
    medians_s: tuple[float, float],
    smallest_s: float,
) -> tuple[Movement, ...]:
    """Return the parts that moved, the largest difference first; empty when the runs do not know their parts.

    The time of a stage, a phase or a function is its share of the call times the median of the call: the shares are
    measured in passes of their own, at other moments, and noise that slows all parts alike leaves them as they are.

    Args:
        base: What is compared with.
        new: What is judged.
        medians_s: Median latency of the two, as they are compared.
        smallest_s: A part that moved by no more is not named.
    """
    if isinstance(base, ProfileResult) and isinstance(new, ProfileResult):
        before_s, after_s = medians_s
        functions = _moved("function", _functions(base, before_s), _functions(new, after_s), smallest_s)
        moved = [
            *_moved_where_known("stage", _stages(base, before_s), _stages(new, after_s), smallest_s),
            *_moved_where_known("phase", _phases(base, before_s), _phases(new, after_s), smallest_s),
            *_largest_first(functions)[:MAX_FUNCTIONS],
        ]
    elif isinstance(base, LoadResult) and isinstance(new, LoadResult):
        moved = _moved("endpoint", _endpoints(base), _endpoints(new), smallest_s)
    else:
        return ()
    return tuple(_largest_first(moved))


def confirmed(moved: Sequence[Movement], again: Sequence[Movement]) -> tuple[Movement, ...]:
    """Return what moved in the same direction when the same two were measured again.

    A burst of other work falls into one stage and a few functions of one profile, and hardly into the same again.
    """
    directions = {(movement.part, movement.name, movement.difference_s > 0) for movement in again}
    return tuple(each for each in moved if (each.part, each.name, each.difference_s > 0) in directions)


def _largest_first(moved: list[Movement]) -> list[Movement]:
    return sorted(moved, key=lambda movement: -abs(movement.difference_s))


def _moved_where_known(
    part: Part, base: Mapping[str, float], new: Mapping[str, float], smallest_s: float
) -> list[Movement]:
    """Compare nothing where one run has no such parts at all: they were not measured, and are not 0."""
    return _moved(part, base, new, smallest_s) if base and new else []


def _moved(part: Part, base: Mapping[str, float], new: Mapping[str, float], smallest_s: float) -> list[Movement]:
    movements = [Movement(part, name, base.get(name, 0.0), new.get(name, 0.0)) for name in {**base, **new}]
    return [movement for movement in movements if abs(movement.difference_s) > smallest_s]


def _stages(result: ProfileResult, median_s: float) -> dict[str, float]:
    """Return the stages of the model; those of an exchange are its phases, whose medians noise moves less."""
    phases = {phase.name for phase in result.phases}
    return {stage.name: stage.share * median_s for stage in result.stages if stage.name not in phases}


def _phases(result: ProfileResult, median_s: float) -> dict[str, float]:
    medians = {phase.name: phase.median_s for phase in result.phases if phase.median_s is not None}
    whole_s = sum(medians.values())
    return {name: own_s / whole_s * median_s for name, own_s in medians.items() if whole_s}


def _functions(result: ProfileResult, median_s: float) -> dict[str, float]:
    """Return self times by name and file; without the line, which moves when something above it is edited."""
    times: dict[str, float] = {}
    for function in _seen_functions(result):
        name = f"{function.function} {function.file}".rstrip()
        times[name] = times.get(name, 0.0) + function.share * median_s
    return times


def _seen_functions(result: ProfileResult) -> tuple[FunctionTime, ...]:
    """Return the functions of the server where there is one: those of the client are perfcli's own."""
    if result.target.kind == "remote":
        return result.server.functions if result.server else ()
    return result.functions


def _endpoints(result: LoadResult) -> dict[str, float]:
    medians = {name: endpoint.latency.p50_s for name, endpoint in result.endpoints.items()}
    return {name: median_s for name, median_s in medians.items() if median_s is not None}
