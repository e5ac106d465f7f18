"""Profile a git revision and the working tree in turn, each time in a process of its own."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from perfcli.errors import ExitCode, MeasurementError, UsageError
from perfcli.records import ProfileResult, Stage
from perfcli.records.comparison import Turn
from perfcli.records.profile_codec import decode_profile
from perfcli.statistics import median
from perfcli.units import format_duration

MIN_ROUNDS = 8
"""The smallest and the largest of eight ratios hold the median between them in all but one of 128 runs."""
ROUND_S = 1.0
PROFILE_TIMEOUT_S = 120.0
"""A profile of a second that takes so long has a model that does not load."""
MEASURED = (ExitCode.OK, ExitCode.FAILED, ExitCode.INCONCLUSIVE)
"""The last two say what the SLOs of the project's configuration make of a profile; it is whole all the same."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """What was measured, round by round.

    Attributes:
        base: The revision: the last of its profiles, with the stages of all; partial when the run was interrupted.
        new: The working tree.
        turns: One for each round.
        again: The first profile of each.
    """

    base: ProfileResult
    new: ProfileResult
    turns: tuple[Turn, ...]
    again: tuple[ProfileResult, ProfileResult]


@contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """Yield the folder that corresponds to this one in a checkout of the revision, which goes when the block ends.

    It goes also when a signal ends the block, whenever that comes: git leaves half a worktree when it is interrupted.

    Raises:
        UsageError: The folder is in no repository, or git does not know the revision.
    """
    top = Path(_git(folder, "rev-parse", "--show-toplevel"))
    commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    parent = Path(tempfile.mkdtemp(prefix="perfcli-"))
    tree = parent / "base"
    try:
        with _uninterrupted():
            _git(folder, "worktree", "add", "--detach", str(tree), commit)
        yield tree / folder.resolve().relative_to(top.resolve())
    finally:
        with _uninterrupted():
            if tree.exists():
                _git(folder, "worktree", "remove", "--force", str(tree))
            shutil.rmtree(parent, ignore_errors=True)


def profile_in_turn(
    base: Path,
    new: Path,
    arguments: Sequence[str],
    max_time_s: float,
    seed: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Rounds:
    """Run `perfcli profile` with these arguments in the two folders, round after round, in a random order.

    Ctrl-C and SIGTERM end it early, with the rounds that are complete, marked as partial.

    Args:
        base: Working directory of the one, from which Python imports first.
        new: Working directory of the other.
        arguments: Payload and model.
        max_time_s: No round is started after this time, but for the first eight.
        seed: Of the order.
        on_progress: Called with the number of profiles made.

    Raises:
        MeasurementError: One of them could not be measured.
        KeyboardInterrupt: It was interrupted before a round was complete.
    """
    order = random.Random(seed)
    taken: dict[Path, list[ProfileResult]] = {base: [], new: []}
    started = time.monotonic()
    partial = False
    try:
        while len(taken[new]) < MIN_ROUNDS or time.monotonic() - started < max_time_s:
            for folder in order.sample((base, new), 2):
                taken[folder].append(_profile(folder, arguments))
                on_progress(len(taken[base]) + len(taken[new]))
    except KeyboardInterrupt:
        if not (taken[base] and taken[new]):
            raise
        partial = True
    # The profile whose round was broken off has nothing to be compared with.
    rounds = list(zip(taken[base], taken[new], strict=False))
    merged, others = (_merge(side, partial) for side in zip(*rounds, strict=True))
    turns = tuple(Turn(one.samples_s, other.samples_s, one.target.payloads) for one, other in rounds)
    return Rounds(merged, others, turns, rounds[0])


def _profile(folder: Path, arguments: Sequence[str]) -> ProfileResult:
    import orjson

    command = [sys.executable, "-m", "perfcli", "profile", *arguments, "--json", "--max-time", f"{ROUND_S}s"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    environment.pop("GITHUB_STEP_SUMMARY", None)
    try:
        done = subprocess.run(  # noqa: S603 - the command is this program itself
            command, cwd=folder, env=environment, capture_output=True, check=False, timeout=PROFILE_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        took = format_duration(PROFILE_TIMEOUT_S)
        raise MeasurementError(
            f"perfcli profile in {folder} has not ended after {took}.", "See what it waits for: run it there yourself."
        ) from error
    # Python itself ends with 1 where perfcli cannot even start.
    if done.returncode not in MEASURED or not done.stdout:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        words = words or [f"it ended with {done.returncode} and said nothing"]
        raise MeasurementError(f"perfcli profile failed in {folder}: {words[0].removeprefix('Error: ')}")
    return decode_profile(orjson.loads(done.stdout))


def _merge(results: Sequence[ProfileResult], partial: bool) -> ProfileResult:
    """Return the last result with the samples of all, and the medians over all of the time and share of each stage."""
    last = results[-1]
    stages = []
    for stage in last.stages:
        known = [each for result in results for each in result.stages if each.name == stage.name]
        time_s, share = median([each.median_s for each in known]), median([each.share for each in known])
        stages.append(Stage(stage.name, time_s, share, stage.calls))
    samples = tuple(sample for result in results for sample in result.samples_s)
    return replace(last, samples_s=samples, stages=tuple(stages), partial=partial)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - arguments are no shell text
            ["git", *arguments],  # noqa: S607 - whichever git the user has
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            # Ctrl-C reaches the whole group in the foreground, and is for us.
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed.", "Install it, or compare two records.") from error
    if done.returncode != 0:
        said = done.stderr.strip().removeprefix("fatal: ").rstrip(".") or "it said nothing"
        raise UsageError(f"git {arguments[0]} failed: {said}.", "Run it in a repository that has the revision.")
    return done.stdout.strip()
