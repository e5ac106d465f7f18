"""What GitHub Actions understands: annotations beside the log of a job."""

from __future__ import annotations

from collections.abc import Iterator

from perfcli.records import ProfileResult
from perfcli.records.capacity import CapacityResult
from perfcli.records.codec import Result
from perfcli.records.comparison import Comparison
from perfcli.records.load import LoadResult
from perfcli.reporters.capacity_report import describe_capacity
from perfcli.reporters.comparison_report import describe_comparison
from perfcli.reporters.markup import printable

MAX_ANNOTATIONS = 10
"""GitHub shows no more of one kind for one step."""


def workflow_commands(result: Result, *, failed: bool = False) -> Iterator[str]:
    """Yield the workflow commands for what did not pass, at most ten.

    Args:
        result: What is told.
        failed: Whether a comparison ends as failed, which --fail-if decides; the other results know it themselves.
    """
    lines = list(_lines(result, failed))
    if len(lines) > MAX_ANNOTATIONS:
        more = len(lines) - MAX_ANNOTATIONS + 1
        lines = [*lines[: MAX_ANNOTATIONS - 1], command("error", f"{more} more SLOs did not pass.")]
    yield from lines


def command(kind: str, message: str) -> str:
    """Return a workflow command; what would end it or begin another is escaped as GitHub's toolkit does."""
    for sign, written in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        message = message.replace(sign, written)
    return f"::{kind} title=perfcli::{printable(message)}"


def _lines(result: Result, failed: bool) -> Iterator[str]:
    if isinstance(result, ProfileResult | LoadResult):
        for verdict in result.verdicts:
            if verdict.outcome != "pass":
                kind = "error" if verdict.outcome == "fail" else "warning"
                yield command(kind, f"{verdict.slo}: {verdict.outcome}, {verdict.reason}")
    elif isinstance(result, Comparison):
        if failed or result.change in ("slower", "inconclusive"):
            yield command("error" if failed else "warning", describe_comparison(result))
    elif isinstance(result, CapacityResult) and result.outcome != "found":
        yield command("error" if result.outcome == "below" else "warning", describe_capacity(result))
