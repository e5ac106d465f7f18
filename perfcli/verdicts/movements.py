"""Which stages, functions or endpoints take more or less time than before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfcli.records import FunctionTime, ProfileResult, ServerView
from perfcli.records.comparison import Movement, Part
from perfcli.records.load import LoadResult

MAX_FUNCTIONS = 20
NEARLY_ALL = 0.9
"""Of the records of a server: a function that fewer of them name is not known well enough to say that it moved."""


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
        if (base.target.kind == "remote") != (new.target.kind == "remote"):
            return ()  # The parts of an exchange are not those of a call, even where both run the same model.
        before_s, after_s = medians_s
        functions = _moved_where_known("function", *_functions_of_both(base, new, medians_s), smallest_s)
        moved = [
            *_moved_where_known("stage", _stages(base, before_s), _stages(new, after_s), smallest_s),
            *_moved_where_known("phase", _phases(base, before_s), _phases(new, after_s), smallest_s),
            *_largest_first(functions)[:MAX_FUNCTIONS],
        ]
    elif isinstance(base, LoadResult) and isinstance(new, LoadResult):
        moved = _moved("endpoint", *_in_both(_endpoints(base), _endpoints(new)), smallest_s)
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


def _functions_of_both(
    base: ProfileResult, new: ProfileResult, medians_s: tuple[float, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the functions of the servers where there are servers: those of the client are perfcli's own."""
    if base.target.kind != "remote":
        return _times(base.functions, medians_s[0]), _times(new.functions, medians_s[1])
    return _in_both(_times(_always_named(base.server), medians_s[0]), _times(_always_named(new.server), medians_s[1]))


def _always_named(server: ServerView | None) -> tuple[FunctionTime, ...]:
    """Return the functions that nearly all records of a server have among their five.

    In how many a function is missing decides what it seems to take: those that name a short one are those that were
    held up in it.
    """
    if server is None:
        return ()
    fewest = NEARLY_ALL * server.profiled
    return tuple(function for function in server.functions if function.records and function.records >= fewest)


def _in_both(base: Mapping[str, float], new: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Leave out what only one of two lists has, where that does not mean that it takes no time in the other run."""
    names = [name for name in base if name in new]
    return {name: base[name] for name in names}, {name: new[name] for name in names}


def _times(functions: Sequence[FunctionTime], median_s: float) -> dict[str, float]:
    """Return self times by name and file; without the line, which moves when something above it is edited."""
    times: dict[str, float] = {}
    for function in functions:
        name = f"{function.function} {function.file}".rstrip()
        times[name] = times.get(name, 0.0) + function.share * median_s
    return times


def _endpoints(result: LoadResult) -> dict[str, float]:
    medians = {name: endpoint.latency.p50_s for name, endpoint in result.endpoints.items()}
    return {name: median_s for name, median_s in medians.items() if median_s is not None}
