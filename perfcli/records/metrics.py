"""The metrics of one prediction, in the shape the original system logs them."""

from __future__ import annotations

from dataclasses import dataclass

TOP_FUNCTIONS = 5
"""So many functions of one prediction are named."""


@dataclass(frozen=True, slots=True)
class TopFunction:
    """One function of a prediction, as the log shows it.

    Attributes:
        function: Qualified name; a builtin under its real name.
        file: Source file relative to its package; empty for a builtin.
        line: First line of the function; 0 for a builtin.
        cumulative_time_s: Time in the function and in all it calls.
        total_time_s: Time in the function itself.
        calls: Calls during the prediction.
    """

    function: str
    file: str
    line: int
    cumulative_time_s: float
    total_time_s: float
    calls: int


@dataclass(frozen=True, slots=True)
class PerformanceMetrics:
    """The seven measurements of one prediction that every log carries.

    Attributes:
        inference_time_s: Wall time of the prediction.
        cpu_time_s: CPU time of the predicting thread.
        memory_bytes: Resident set size of the process at the end.
        memory_delta_bytes: Growth of the resident set during the prediction; 0 for almost every prediction, because
            the allocator reuses what it has. The peak is another measurement. None when nobody looked, as a service
            does not at predictions it does not profile.
        function_calls: Calls seen by cProfile; None when the prediction was not profiled.
        latency_s: End to end, as far as the measuring side can see; never below `inference_time_s`.
        top_functions: At most five, the most expensive first; None when the prediction was not profiled.
    """

    inference_time_s: float
    cpu_time_s: float
    memory_bytes: int
    memory_delta_bytes: int | None
    function_calls: int | None
    latency_s: float
    top_functions: tuple[TopFunction, ...] | None
