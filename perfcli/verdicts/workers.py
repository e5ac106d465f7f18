"""Which number of server processes is worth it, of those whose capacity was searched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perfcli.records.capacity import CapacityResult, WorkerSetting

NEARLY_MOST = 0.9
"""Two answers, each known to 5 %, that are nearer than this may be the same."""


def choose_workers(results: Sequence[CapacityResult]) -> CapacityResult:
    """Return the result of the number of workers that is worth it, with all of them as its settings.

    Worth it are the fewest that hold nine tenths of the most that any number holds: each costs the memory of a model.
    While the search is not sure about one of them nothing can be said of which is worth it, and the result is that of
    the one not sure; when none holds anything it is that of the fewest.

    Args:
        results: Of one number of workers each; there must be one.

    Raises:
        ValueError: There are no results, or one does not say how many workers it is about.
    """
    ascending = sorted(results, key=lambda result: result.workers or 0)
    settings = tuple(_setting(result) for result in ascending)
    chosen = _choose(ascending)
    return replace(chosen, settings=settings, partial=any(result.partial for result in results))


def _choose(ascending: Sequence[CapacityResult]) -> CapacityResult:
    if not ascending:
        raise ValueError("no choice among no results")
    for result in ascending:
        if result.outcome not in ("found", "below"):
            return result
    most = max(result.capacity or 0.0 for result in ascending)
    return next(result for result in ascending if (result.capacity or 0.0) >= NEARLY_MOST * most)


def _setting(result: CapacityResult) -> WorkerSetting:
    if result.workers is None:
        raise ValueError("a result that is about no number of workers")
    return WorkerSetting(result.workers, result.probes, result.capacity, result.upper, result.outcome, result.reason)
