"""SLOs on the command line: read before the run, judged after it, told to GitHub, and made the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from perfcli.errors import DeliveryError

if TYPE_CHECKING:
    from perfcli.errors import ExitCode
    from perfcli.records import ProfileResult
    from perfcli.records.codec import Result
    from perfcli.records.load import LoadResult
    from perfcli.verdicts.slo import Slo

    Judged = TypeVar("Judged", bound=ProfileResult | LoadResult)

Slos = Annotated[
    list[str] | None,
    typer.Option(
        help="What must hold, such as 'p99 < 50ms'. Repeatable. [dim]Default: the list slo in the table "
        "load or profile of perfcli.toml, or in tool.perfcli.load or tool.perfcli.profile of pyproject.toml.[/dim]",
        metavar="EXPRESSION",
        show_default=False,
        rich_help_panel="Verdict",
    ),
]
AllowFew = Annotated[
    bool,
    typer.Option("--allow-few", help="Judge a percentile from fewer samples than it needs.", rich_help_panel="Verdict"),
]


def read_slos(given: Sequence[str] | None, run: Literal["profile", "load"]) -> tuple[Slo, ...]:
    """Read the SLOs of the command line, or those configured when it names none.

    Raises:
        UsageError: One does not follow the grammar, or this kind of run does not measure it.
    """
    from perfcli.verdicts.configured import configured_slos

    texts = given if given is not None else configured_slos(Path.cwd(), run)
    if not texts:
        return ()
    from perfcli.verdicts.measuring import check_measurable
    from perfcli.verdicts.slo import parse_slo

    slos = tuple(map(parse_slo, texts))
    for slo in slos:
        check_measurable(slo, run)
    return slos


def judge(result: Judged, slos: Sequence[Slo], *, allow_few: bool) -> Judged:
    """Return the result with its verdicts, and a load with a warning of failures that none of them is about."""
    from perfcli.records.load import LoadResult

    warnings, verdicts = result.warnings, result.verdicts
    if isinstance(result, LoadResult) and (slos or not verdicts):
        from perfcli.verdicts.gating import point_to_failures

        warnings = point_to_failures(result, slos)
    if slos:
        from perfcli.verdicts.evaluate import evaluate

        verdicts = evaluate(result, slos, allow_few=allow_few)
    judged: Judged = replace(result, warnings=warnings, verdicts=verdicts)
    return judged


def exit_by_verdicts(result: ProfileResult | LoadResult) -> None:
    """Tell GitHub, and end with what the verdicts say."""
    tell_github(result)
    if result.verdicts:
        from perfcli.verdicts.evaluate import exit_code

        exit_with(exit_code(result.verdicts))


def exit_with(code: ExitCode) -> None:
    """End with a code that is no success."""
    if code:
        raise typer.Exit(code)


def tell_github(result: Result, *, failed: bool = False) -> None:
    """Annotate the job and add to its summary when this is one of GitHub Actions.

    Args:
        result: What is told.
        failed: Whether a comparison ends as failed.

    Raises:
        DeliveryError: The summary cannot be written.
    """
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from perfcli.reporters.github import workflow_commands

        # On stderr, which the runner reads too: stdout may be one JSON object.
        sys.stderr.writelines(f"{line}\n" for line in workflow_commands(result, failed=failed))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        from perfcli.reporters import REPORTERS

        try:
            with Path(summary).open("a", encoding="utf-8") as stream:
                REPORTERS[".md"].write(result, stream)
        except OSError as error:
            raise DeliveryError(f"Cannot write {summary}: {error.strerror}.", "Unset GITHUB_STEP_SUMMARY.") from error
