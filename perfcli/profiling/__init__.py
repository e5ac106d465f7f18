"""Where one prediction spends its time: a target and payloads to a `ProfileResult`."""

from __future__ import annotations

from perfcli.profiling.call_graph import write_pstats
from perfcli.profiling.run import Profile, Progress, run_profile, unmeasured
from perfcli.profiling.sampling import SamplingPlan

__all__ = ["Profile", "Progress", "SamplingPlan", "run_profile", "unmeasured", "write_pstats"]
