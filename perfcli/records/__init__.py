"""What was measured: frozen dataclasses that every part of perfcli agrees on.

Durations are in seconds, sizes in bytes, shares and ratios from 0 to 1. `None` means "not measured" and is never 0.
"""

from __future__ import annotations

from perfcli.records.environment import Environment
from perfcli.records.metrics import PerformanceMetrics, TopFunction
from perfcli.records.profile import (
    Advice,
    CpuTime,
    FunctionTime,
    LatencySummary,
    MemoryUse,
    Overhead,
    Phase,
    ProfileResult,
    ServerView,
    Stage,
    TargetDescription,
)
from perfcli.records.verdict import Outcome, SloVerdict

__all__ = [
    "Advice",
    "CpuTime",
    "Environment",
    "FunctionTime",
    "LatencySummary",
    "MemoryUse",
    "Outcome",
    "Overhead",
    "PerformanceMetrics",
    "Phase",
    "ProfileResult",
    "ServerView",
    "SloVerdict",
    "Stage",
    "TargetDescription",
    "TopFunction",
]
