"""`perfcli compare`: is the new version slower than the old one?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfcli.cli.judging import exit_with, tell_github
from perfcli.cli.opening import refuse_options
from perfcli.cli.options import TRUST_HELP, AsJson, Outputs, read_duration, read_ratio
from perfcli.cli.output import check_outputs, deliver, exit_when_partial
from perfcli.errors import ExitCode

if TYPE_CHECKING:
    from perfcli.records.comparison import Change


class FailIf(StrEnum):
    """Which change ends the process with 1."""

    SLOWER = "slower"
    FASTER = "faster"
    DIFFERENT = "different"
    NEVER = "never"


_LIVE = "Two targets or two revisions, measured in turn"


def compare(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="BASE.json and NEW.json, two records of `perfcli profile` or `perfcli load`; or, with --base and "
            "--new or with --base-rev, one payload. [dim]Default payload: a patient that travels with perfcli, unless "
            "a model of yours is named.[/dim]",
            metavar="FILE...",
            show_default=False,
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="'embedded', a model file, package.module:attribute, or a URL.",
            metavar="TARGET",
            rich_help_panel=_LIVE,
        ),
    ] = None,
    new: Annotated[
        str | None,
        typer.Option(
            help="The target that is compared with it, written in the same ways.",
            metavar="TARGET",
            rich_help_panel=_LIVE,
        ),
    ] = None,
    base_rev: Annotated[
        str | None,
        typer.Option(
            help="Compare this git revision with the working tree, each in processes of its own.",
            metavar="REVISION",
            rich_help_panel=_LIVE,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="With --base-rev: the model of both, a file or package.module:attribute.",
            metavar="MODEL",
            show_default="embedded",
            rich_help_panel=_LIVE,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Method that predicts, such as predict_proba.", show_default="predict", rich_help_panel=_LIVE
        ),
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help=TRUST_HELP, rich_help_panel=_LIVE)] = (False),
    header: Annotated[
        list[str] | None,
        typer.Option(help="'Name: value' for URLs; env:TOKEN reads $TOKEN. Repeatable.", rich_help_panel=_LIVE),
    ] = None,
    max_time: Annotated[
        str,
        typer.Option(
            help="Stop measuring after this time. Two revisions are profiled at least 8 times each, whatever it takes.",
            metavar="DURATION",
            rich_help_panel=_LIVE,
        ),
    ] = "20s",
    min_effect: Annotated[str, typer.Option(help="Smallest change of a latency that matters.", metavar="RATIO")] = "5%",
    fail_if: Annotated[FailIf, typer.Option(help="Change that ends with exit code 1.")] = FailIf.SLOWER,
    force: Annotated[
        bool, typer.Option("--force", help="Compare runs of different machines, payloads or versions, and say so.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the order of the turns and of the bootstrap.")] = 0,
    output: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Say whether the new version is slower than the old one, and which part of it moved.

    Two records can only be compared as well as the machine was the same for both. Two targets, or two revisions, are
    measured in turn, so that noise of the machine hits both.

    Examples:

      perfcli compare base.json new.json --min-effect 10%

      perfcli compare --base old.joblib --new new.joblib --trust payload.json -o comparison.md

      perfcli compare --base-rev main --model mypackage.model:model payload.json
    """
    from perfcli.cli.comparing import compare_files, compare_revisions, compare_targets
    from perfcli.verdicts.comparison import exit_code
    from perfcli.verdicts.latency_change import Rule

    outputs = output or ()
    check_outputs(outputs, inputs=(*(files or ()), base, new, model))
    rule = Rule(read_ratio("--min-effect", min_effect), force, seed)
    max_time_s = read_duration("--max-time", max_time)
    if base_rev is not None:
        refuse_options("--base-rev", base=base, new=new, header=header)
        comparison = compare_revisions(files or [], base_rev, model, method, trust, max_time_s, rule)
    elif base is not None or new is not None:
        refuse_options("--base and --new", model=model)
        comparison = compare_targets(files or [], base, new, method, trust, header or (), max_time_s, rule)
    else:
        refuse_options("two records", model=model, method=method, trust=trust, header=header)
        comparison = compare_files([Path(file) for file in files or []], rule)
    deliver(comparison, outputs, as_json=as_json)
    exit_when_partial(comparison)
    code = exit_code(comparison, _FAILING[fail_if])
    tell_github(comparison, failed=code == ExitCode.FAILED)
    exit_with(code)


_FAILING: Mapping[FailIf, tuple[Change, ...]] = {
    FailIf.SLOWER: ("slower",),
    FailIf.FASTER: ("faster",),
    FailIf.DIFFERENT: ("slower", "faster"),
    FailIf.NEVER: (),
}
