"""SLOs from a project's configuration, so that a pipeline and a person judge by the same."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perfcli.errors import SettingsError

if TYPE_CHECKING:
    from perfcli.verdicts.measuring import Run

RUNS = ("load", "profile")
KEYS = ("slo",)

# The tables of other tools are none of our business; one whose name is so near to ours is a misspelling of it.
_MISSPELLED = 0.85


def configured_slos(folder: Path, run: Run) -> tuple[str, ...]:
    """Return the SLOs of `perfcli.toml`, or of the table `tool.perfcli` in `pyproject.toml` when there is no such file.

    They are the list `slo` in the table of the command: `[profile]` and `[load]`, or `[tool.perfcli.load]`.

    Raises:
        SettingsError: The file is not TOML, has a table or a key that nothing reads, or `slo` is no list of texts.
    """
    for name, tables in (("perfcli.toml", ()), ("pyproject.toml", ("tool", "perfcli"))):
        file = folder / name
        if file.is_file():
            return _read(file, tables).get(run, ())
    return ()


def _read(file: Path, tables: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the SLOs of every run: a misspelt table is that of another run, and would gate nothing."""
    try:
        table: object = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Cannot read {file}: {error}.", "Correct the file.") from error
    for name in tables:
        if isinstance(table, dict) and name not in table:
            for near in difflib.get_close_matches(name, table, n=1, cutoff=_MISSPELLED):
                raise SettingsError(f"{file} has a table {near}, which nothing reads.", f"Did you mean {name}?")
        table = table.get(name, {}) if isinstance(table, dict) else None
    runs = _known(file, tables, table, RUNS)
    return {run: _slos(file, (*tables, run), section) for run, section in runs.items()}


def _slos(file: Path, place: tuple[str, ...], section: object) -> tuple[str, ...]:
    slos = _known(file, place, section, KEYS).get("slo", [])
    if not isinstance(slos, list) or not all(isinstance(slo, str) for slo in slos):
        raise SettingsError(f"slo in [{'.'.join(place)}] of {file} is no list of texts.", 'Write slo = ["p99 < 50ms"].')
    return tuple(slos)


def _known(file: Path, place: Sequence[str], table: object, names: Sequence[str]) -> Mapping[str, object]:
    """Return a table of ours, which holds nothing but these names."""
    if not isinstance(table, dict):
        raise SettingsError(f"{'.'.join(place)} in {file} is no table.", "Write it like [load], and slo = [...] below.")
    for name in table:
        if name not in names:
            where = ".".join((*place, name))
            raise SettingsError(f"{file} sets {where}, which nothing reads.", _meant(name, place, names))
    return table


def _meant(name: str, place: Sequence[str], names: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name.casefold(), [*names, *KEYS], n=1)
    if not nearest:
        return f"Known: {', '.join('.'.join((*place, each)) for each in names)}."
    # A key above the tables of the runs belongs into one of them.
    meant = nearest if nearest[0] in names else [f"{run}.{nearest[0]}" for run in RUNS]
    return f"Did you mean {' or '.join('.'.join((*place, each)) for each in meant)}?"
