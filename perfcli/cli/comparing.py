"""What `perfcli compare` compares: two records, two targets, or two revisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from perfcli.cli.opening import default_payload, open_local, open_url
from perfcli.cli.progress import describe, show_progress
from perfcli.errors import UsageError

if TYPE_CHECKING:
    from perfcli.payloads import Payload
    from perfcli.profiling import Progress, SamplingPlan
    from perfcli.profiling.in_turn import Turns
    from perfcli.records import ProfileResult
    from perfcli.records.comparison import Comparison
    from perfcli.records.load import LoadResult
    from perfcli.targets.protocol import Target
    from perfcli.verdicts.latency_change import Rule

PROFILE_SHARE = 0.2
"""Of the time: what profiling each side for its stages and functions may take."""


def compare_files(files: Sequence[Path], rule: Rule) -> Comparison:
    """Compare two records.

    Raises:
        UsageError: There are not two, or one is no record of a profile or a load.
    """
    from perfcli.verdicts.comparison import compare

    if len(files) != 2:
        raise UsageError(
            f"Two records are compared, and {len(files) or 'none'} {'is' if len(files) < 2 else 'are'} named.",
            "Name BASE.json and NEW.json, or --base and --new, or --base-rev.",
        )
    base, new = map(_read_run, files)
    return compare(base, new, rule, sources=(str(files[0]), str(files[1])))


def compare_targets(
    payload: Sequence[str],
    base: str | None,
    new: str | None,
    method: str | None,
    trust: bool,
    header: Sequence[str],
    max_time_s: float,
    rule: Rule,
) -> Comparison:
    """Measure two targets in turn in this process, and compare them.

    Raises:
        UsageError: One of the two is missing, or there is more than one payload.
    """
    from perfcli.payloads import read_payloads
    from perfcli.profiling import SamplingPlan
    from perfcli.profiling.in_turn import TurnPlan, time_in_turn
    from perfcli.verdicts.comparison import compare

    if base is None or new is None:
        raise UsageError("Two targets are compared, and one is named.", "Name both --base and --new.")
    payloads = read_payloads(
        _payload(payload, has_default=all(each == EMBEDDED or _is_url(each) for each in (base, new)))
    )
    share_s = PROFILE_SHARE * max_time_s
    with (
        closing(_open(base, method, trust, header)) as one,
        closing(_open(new, method, trust, header)) as other,
        show_progress(_describe) as tell,
    ):
        calls = [[target.prepare(each) for each in payloads] for target in (one, other)]
        plan = TurnPlan(max_time_s - 2 * share_s, precision=rule.min_effect / 4, seed=rule.seed)
        turns = time_in_turn(calls[0], calls[1], plan, on_progress=tell)
        if not turns.taken:
            raise KeyboardInterrupt  # That ended the warm-up, and there is nothing to compare.
        # Twice, because a burst of other work makes it seem that something moved.
        where, order = SamplingPlan(max_time_s=share_s / 2), (one, other, one, other)
        profiles = _profile_until_interrupted(order, payloads, where, tell, interrupted=turns.partial)
    taken = replace(profiles[0], partial=any(profile.partial for profile in profiles))
    return compare(taken, profiles[1], rule, sources=(base, new), turns=turns.taken, again=(profiles[2], profiles[3]))


def _profile_until_interrupted(
    targets: Sequence[Target],
    payloads: Sequence[Payload],
    plan: SamplingPlan,
    tell: Callable[[Progress], None],
    *,
    interrupted: bool,
) -> list[ProfileResult]:
    """Profile one after the other; what comes after an interruption is not measured."""
    from perfcli.profiling import run_profile, unmeasured

    profiles: list[ProfileResult] = []
    for target in targets:
        profiles.append(
            unmeasured(target, payloads) if interrupted else run_profile(target, payloads, plan, tell).result
        )
        interrupted = interrupted or profiles[-1].partial
    return profiles


def compare_revisions(
    payload: Sequence[str],
    revision: str,
    model: str | None,
    method: str | None,
    trust: bool,
    max_time_s: float,
    rule: Rule,
) -> Comparison:
    """Profile a revision and the working tree in turn, each time in a process of its own, and compare them.

    Raises:
        UsageError: There is more than one payload, or git does not know the revision.
        MeasurementError: One of the two could not be measured.
    """
    from perfcli.profiling.revisions import checked_out, profile_in_turn
    from perfcli.verdicts.comparison import compare

    source = Path(_payload(payload, has_default=model is None)).resolve()
    arguments = [str(source)]
    for name, value in (("--model", model), ("--method", method)):
        arguments += [name, value] if value is not None else []
    arguments += ["--trust"] if trust else []
    with checked_out(revision, Path.cwd()) as folder, show_progress(_describe_rounds) as tell:
        rounds = profile_in_turn(folder, Path.cwd(), arguments, max_time_s, rule.seed, tell)
    sources = (revision, "working tree")
    return compare(rounds.base, rounds.new, rule, sources=sources, turns=rounds.turns, again=rounds.again)


EMBEDDED = "embedded"


def _open(target: str, method: str | None, trust: bool, header: Sequence[str]) -> Target:
    if _is_url(target):
        return open_url(target, header=header, timeout="30s", insecure=False, http_method="POST")
    return open_local(None if target == EMBEDDED else target, method, trust=trust, stage=())


def _is_url(target: str) -> bool:
    return target.startswith(("http://", "https://"))


def _payload(files: Sequence[str], *, has_default: bool) -> str:
    if len(files) > 1:
        raise UsageError(f"One payload is measured, and {len(files)} files are named.", "Name one.")
    return files[0] if files else default_payload(None if has_default else "another")


def _read_run(file: Path) -> ProfileResult | LoadResult:
    from perfcli.records import ProfileResult
    from perfcli.records.load import LoadResult
    from perfcli.reporters.json import read_result

    result = read_result(file)
    if not isinstance(result, ProfileResult | LoadResult):
        raise UsageError(f"{file} is no record of a profile or a load.", "Make one with: perfcli profile -o base.json")
    return result


def _describe(step: Turns | Progress) -> str:
    from perfcli.profiling.in_turn import Turns

    # First the two are timed in turn, then each is profiled for what moved.
    return f"in turn: {len(step.taken)} turns" if isinstance(step, Turns) else describe(step)


def _describe_rounds(profiles: int) -> str:
    from perfcli.profiling.revisions import MIN_ROUNDS

    return f"in turn: {profiles} of at least {2 * MIN_ROUNDS} profiles"
