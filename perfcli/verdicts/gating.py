"""Whether anything gates the failures of a load: the exit code passes over them unless an SLO looks at them."""

from __future__ import annotations

from collections.abc import Sequence

from perfcli.records.load import LoadResult
from perfcli.records.profile import Advice
from perfcli.units import format_ratio
from perfcli.verdicts.slo import Slo

UNGATED = "ungated_failures"
MANY = 0.01
"""Share of the requests: of so many failures somebody should decide."""
_OF_FAILURES = ("error_rate", "success_rate", "goodput")


def point_to_failures(result: LoadResult, slos: Sequence[Slo]) -> tuple[Advice, ...]:
    """Return the warnings of a load, with one if many requests failed and no SLO looks at failures, else without it.

    A run in which all failed is none of these: that is an error by itself.
    """
    warnings = tuple(warning for warning in result.warnings if warning.code != UNGATED)
    ratio = result.total.error_ratio
    if ratio is not None and MANY < ratio < 1 and all(slo.metric not in _OF_FAILURES for slo in slos):
        message = f"{format_ratio(ratio)} of the requests failed, which no SLO looks at: the exit code passes over it."
        return (*warnings, Advice(UNGATED, message, "Gate it with --slo 'error_rate < 1%'."))
    return warnings
