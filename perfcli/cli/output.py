"""Deliver a result: files first, then the screen, then the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from perfcli.cli.signals import interruption_code
from perfcli.cli.streams import stdout_was_closed
from perfcli.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from perfcli.records.codec import Result
    from perfcli.reporters import Reporter, View


def check_outputs(
    outputs: Sequence[Path], other: Sequence[Path] = (), *, inputs: Sequence[object] = (), has_tree: bool = False
) -> None:
    """Refuse, before anything is measured, files that could not be written afterwards.

    Args:
        outputs: Files of reports.
        other: Other files.
        inputs: Files that the command reads, among what is none: a URL, an import path, None.
        has_tree: The result can have a call tree.

    Raises:
        UsageError: No reporter writes files with the suffix of one of `outputs`, or not of such a result; or the folder
            of a file, these or `other` ones, is missing or not writable; or a file is one of `inputs`.
    """
    from perfcli.reporters import REPORTERS, TREE_FORMATS

    for output in outputs:
        if output.suffix not in REPORTERS:
            known = f"Known: {', '.join(suffix for suffix in REPORTERS if has_tree or suffix not in TREE_FORMATS)}."
            raise UsageError(
                f"No report is written as '{output.suffix or output.name}' ({output}).",
                f"{known} For speedscope: --speedscope FILE." if has_tree else known,
            )
        if output.suffix in TREE_FORMATS and not has_tree:
            raise UsageError(f"Cannot write {output}: only a profile has a call tree.", "Leave it out.")
    for output in (*outputs, *other):
        if not os.access(output.parent, os.W_OK) or output.is_dir():
            raise UsageError(f"Cannot write {output}.", "Name a file in a folder that exists and is writable.")
        if any(_is_same_file(output, each) for each in inputs):
            raise UsageError(f"{output} is read, and would be overwritten.", "Name another file to write.")


def _is_same_file(output: Path, read: object) -> bool:
    try:
        return read is not None and output.samefile(str(read))
    except (OSError, ValueError):
        return False


def deliver(
    result: Result,
    outputs: Sequence[Path],
    *,
    as_json: bool,
    view: View | None = None,
    extra: Mapping[Path, Callable[[Path], None]] | None = None,
) -> None:
    """Write the files, then show the result on stdout.

    Everything is made of what the record keeps, which is rounded to nanoseconds, so that `perfcli report` shows the
    same last digit again.

    Args:
        result: The record of the run.
        outputs: Files of reports.
        as_json: Show the record instead of the tables.
        view: How much of the tables; None for the default.
        extra: Files that are no reports, and what writes them.

    Raises:
        DeliveryError: A file could not be written; the others were, and the result was shown.
    """
    from perfcli.records.codec import decode, encode
    from perfcli.reporters import REPORTERS

    result = decode(encode(result))
    writers = {output: partial(_write_report, result) for output in outputs} | dict(extra or {})
    failed = [failure for file, write in writers.items() if (failure := _write_whole(file, write)) is not None]
    with stdout_that_may_close("Measured, but stdout"):
        reporter = REPORTERS[".json"] if as_json else _table(view)
        reporter.write(result, sys.stdout)
        sys.stdout.flush()
    if failed:
        raise DeliveryError(f"Measured, but not written: {'; '.join(failed)}.", "The result is on stdout.")


def exit_when_partial(result: Result) -> None:
    """End with 130 after Ctrl-C and 143 after SIGTERM, once the record is delivered."""
    if result.partial:
        raise typer.Exit(interruption_code())


def _write_report(result: Result, file: Path) -> None:
    from perfcli.reporters import REPORTERS

    with file.open("w", encoding="utf-8") as stream:
        REPORTERS[file.suffix].write(result, stream)


def _table(view: View | None) -> Reporter:
    from perfcli.reporters.table import TableReporter

    return TableReporter() if view is None else TableReporter(view)


def _write_whole(file: Path, write: Callable[[Path], None]) -> str | None:
    """Write a file whole or not at all; return what went wrong."""
    unfinished = file.with_name(f".{os.getpid()}.{file.name}")
    try:
        write(unfinished)
        unfinished.replace(file)
    except (OSError, DeliveryError) as error:
        unfinished.unlink(missing_ok=True)
        return f"{file} ({error.message if isinstance(error, DeliveryError) else error.strerror or error})"
    return None


@contextmanager
def stdout_that_may_close(what: str = "Stdout") -> Iterator[None]:
    """Let a reader such as `head` go away in the middle: that is no error of ours.

    Args:
        what: How the error begins.

    Raises:
        DeliveryError: Stdout was closed before the start, or does not take the result for another reason, such as a
            full disk.
    """
    if stdout_was_closed():
        raise DeliveryError(f"{what} is closed.", "To see nothing of it, send it to /dev/null.")
    try:
        yield
    except OSError as error:
        # The interpreter flushes stdout once more at exit, and must not fail there either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise DeliveryError(f"{what} cannot be written: {error.strerror or error}.") from error
