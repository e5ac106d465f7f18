"""SLOs from a project's configuration, so that a pipeline and a person judge by the same."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from perfcli.errors import SettingsError

if TYPE_CHECKING:
    from perfcli.verdicts.measuring import Run


def configured_slos(folder: Path, run: Run) -> tuple[str, ...]:
    """Return the SLOs of `perfcli.toml`, or of the table `tool.perfcli` in `pyproject.toml` when there is no such file.

    They are the list `slo` in the table of the command: `[profile]` and `[load]`, or `[tool.perfcli.load]`.

    Raises:
        SettingsError: The file is not TOML, or `slo` is no list of texts.
    """
    for name, tables in (("perfcli.toml", ()), ("pyproject.toml", ("tool", "perfcli"))):
        file = folder / name
        if file.is_file():
            return _read(file, (*tables, run))
    return ()


def _read(file: Path, tables: tuple[str, ...]) -> tuple[str, ...]:
    try:
        table: object = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Cannot read {file}: {error}.", "Correct the file.") from error
    for name in (*tables, "slo"):
        table = table.get(name, {}) if isinstance(table, dict) else None
    if table == {}:
        return ()
    if not isinstance(table, list) or not all(isinstance(slo, str) for slo in table):
        raise SettingsError(
            f"slo in [{'.'.join(tables)}] of {file} is no list of texts.", 'Write slo = ["p99 < 50ms"].'
        )
    return tuple(table)
