"""Which part of a run the statistics are about."""

from __future__ import annotations

from collections.abc import Sequence

from perfcli.loadtest.plan import Plan
from perfcli.loadtest.steady import Steadiness, find_steady, is_uniform
from perfcli.loadtest.timeline import Slot

_TOLERANCE_S = 0.05
"""The engine's seconds are a little shorter or longer than one; 5 s of warm-up are five of them nevertheless."""


def choose_window(slots: Sequence[Slot], plan: Plan, warm_up_s: float | None, loaded_s: float) -> Steadiness:
    """Return the first measured slot, the number of slots when there is none, and whether the load was steady from it.

    Args:
        slots: The whole run.
        plan: What was asked for.
        warm_up_s: Left out; None finds the end of warm-up by measurement.
        loaded_s: When the last request was started.
    """
    # Answers that come after the last request was sent are counted, but say nothing about how steady the load was.
    loaded = [slot for slot in slots if slot.start_s + slot.elapsed_s / 2 < loaded_s]
    levels = [slot.level(open_loop=plan.open_loop) for slot in loaded]
    if warm_up_s is not None:
        first = _first_from(slots, warm_up_s)
        return Steadiness(first, None if plan.changes_load else is_uniform(levels[first:]))
    if plan.changes_load:
        return Steadiness(0, None)
    ramp_s = plan.users / plan.spawn_rate if plan.spawn_rate and not plan.open_loop else 0.0
    return find_steady(levels, _first_from(loaded, ramp_s))


def _first_from(slots: Sequence[Slot], start_s: float) -> int:
    return next((index for index, slot in enumerate(slots) if slot.start_s + _TOLERANCE_S >= start_s), len(slots))
