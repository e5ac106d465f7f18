"""Passes of their own, after the durations are known: the stages of a call, and its peak of memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence
from itertools import cycle, islice

from perfcli.profiling.rounds import Call, Clock
from perfcli.records import Advice, CpuTime, Stage
from perfcli.statistics import mean_of_medians, median
from perfcli.targets.protocol import StageTime, Target
from perfcli.units import format_duration, format_ratio

MAX_CALLS = 60
SETTLING_CALLS = 2
MEMORY_CALLS = 3
PASS_TIME_S = 2.0
CPU_BATCH_S = 0.02
OUTSIDE = "(outside of the stages)"

Taken = tuple[float, dict[str, StageTime]]
"""The duration of one call in seconds, and its stages."""


def time_stages(target: Target, calls: Sequence[Call]) -> tuple[tuple[Stage, ...], tuple[Advice, ...]]:
    """Time the stages in unprofiled calls; what no stage covers is a last stage of its own."""
    taken: list[Taken] = []
    started = time.perf_counter()
    with target.staged() as clock:
        for number, call in enumerate(islice(cycle(calls), SETTLING_CALLS + max(MAX_CALLS, len(calls)))):
            clock.take()
            before = time.perf_counter_ns()
            call()
            duration = (time.perf_counter_ns() - before) / 1e9
            stages = dict(clock.take())
            late = time.perf_counter() - started > PASS_TIME_S
            if number >= SETTLING_CALLS or late:
                taken.append((duration, stages))
            if late:
                break
    return summarise_stages(taken, len(calls)), (*repeated_work(taken), *left_out("stages", len(taken), len(calls)))


def left_out(what: str, visited: int, payloads: int) -> tuple[Advice, ...]:
    """Say when there was no time for every payload."""
    if visited >= payloads:
        return ()
    message = f"The {what} are those of {visited} of {payloads} payloads: there was no time for the others."
    return (Advice("payloads_left_out", message, "Profile fewer payloads at a time."),)


def summarise_stages(taken: Sequence[Taken], payloads: int) -> tuple[Stage, ...]:
    """Turn calls with their stages into medians and shares of the whole call.

    Args:
        taken: The calls, made with the payloads in turn.
        payloads: How many there are. Shares are of the mean over payloads of their medians: one call that was held up
            shifts nothing, and a stage that only some payloads have is not forgotten.
    """
    names = list(dict.fromkeys(name for _, stages in taken for name in stages))
    if not names:
        return ()
    nothing = StageTime(0.0, 0)
    columns = {name: [times.get(name, nothing).self_s for _, times in taken] for name in names}
    columns[OUTSIDE] = [duration - sum(stage.self_s for stage in times.values()) for duration, times in taken]
    calls = {name: sum(times.get(name, nothing).calls for _, times in taken) / len(taken) for name in names}
    typical_s = {name: mean_of_medians(self_s, payloads) for name, self_s in columns.items()}
    whole_s = sum(typical_s.values())
    return tuple(
        Stage(name, median(self_s), typical_s[name] / whole_s, calls.get(name, 1.0)) for name, self_s in columns.items()
    )


def repeated_work(taken: Sequence[Taken]) -> tuple[Advice, ...]:
    """Say which stages do the same thing twice in one prediction, and what that costs."""
    repeated = {
        name: median([times[name].repeated_s for _, times in taken if name in times])
        for name in dict.fromkeys(name for _, stages in taken for name in stages)
    }
    found = {name: seconds for name, seconds in repeated.items() if seconds > 0}
    if not found:
        return ()
    cost_s = sum(found.values())
    whole_s = median([duration for duration, _ in taken])
    return (
        Advice(
            "repeated_stage",
            f"{', '.join(found)} ran again on the same input within one prediction: "
            f"{format_duration(cost_s)}, {format_ratio(cost_s / whole_s)} of the call.",
            "Transform once: take the class from predict_proba instead of calling predict as well.",
        ),
    )


def measure_cpu(calls: Sequence[Call], call_s: float, clock: Clock = time) -> CpuTime:
    """Return the CPU time of calls too short for the sampler's blocks, whose clocks take longer to read than they run.

    Args:
        calls: Made in turn, for `CPU_BATCH_S` together.
        call_s: What one takes, roughly.
        clock: Where times come from.
    """
    turns = max(1, round(CPU_BATCH_S / max(call_s, 1e-8) / len(calls)))
    process, thread = clock.process_time_ns(), clock.thread_time_ns()
    for _ in range(turns):
        for call in calls:
            call()
    thread, process = clock.thread_time_ns() - thread, clock.process_time_ns() - process
    made = turns * len(calls)
    return CpuTime(thread / made / 1e9, process / made / 1e9)


def measure_peak(calls: Sequence[Call]) -> tuple[int | None, tuple[Advice, ...]]:
    """Return the most bytes that one call had allocated at once; None when somebody else traces memory.

    tracemalloc doubles or trebles the duration, so no duration is taken here.
    """
    if tracemalloc.is_tracing():
        return None, ()
    started = time.perf_counter()
    peaks: list[int] = []
    tracemalloc.start()
    try:
        for call in islice(cycle(calls), max(MEMORY_CALLS, len(calls))):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            call()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            if time.perf_counter() - started > PASS_TIME_S:
                break
    finally:
        tracemalloc.stop()
    return max(peaks), left_out("peaks of memory", len(peaks), len(calls))
