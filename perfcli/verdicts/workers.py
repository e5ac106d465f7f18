"""Which number of server processes is worth it, of those whose capacity was searched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perfcli.records.capacity import CapacityResult, WorkerSetting
from perfcli.units import format_count

NEARLY_MOST = 0.9
"""Two answers, each known to 5 %, that are nearer than this may be the same."""


def choose_workers(results: Sequence[CapacityResult]) -> CapacityResult:
    """Return the result of the number of workers that is worth it, with all of them as its settings.

    Worth it are the fewest that hold nine tenths of the most that any number holds: each costs the memory of a model.
    Where a search has no answer, the highest load that held is the least that this number holds; the choice is then
    one as far as is known, and has the outcome of the first of these searches.

    Args:
        results: Of one number of workers each; there must be one.

    Raises:
        ValueError: There are no results, or one does not say how many workers it is about.
    """
    if not results:
        raise ValueError("no choice among no results")
    ascending = sorted(results, key=lambda result: result.workers or 0)
    settings = tuple(map(_setting, ascending))
    most = max(setting.held or 0.0 for setting in settings)
    chosen = next(result for result in ascending if (result.held or 0.0) >= NEARLY_MOST * most)
    unsure = next((setting for setting in settings if setting.outcome not in ("found", "below")), None)
    if unsure is not None:
        reason = f"{format_count(unsure.workers, 'worker')}: {unsure.reason}"
        chosen = replace(chosen, outcome=unsure.outcome, reason=reason)
    return replace(chosen, settings=settings, partial=any(result.partial for result in results))


def _setting(result: CapacityResult) -> WorkerSetting:
    if result.workers is None:
        raise ValueError("a result that is about no number of workers")
    return WorkerSetting(
        result.workers, result.probes, result.capacity, result.upper, result.outcome, result.reason, result.held
    )
