"""Where perfcli keeps what it can make again: the trained model, and what the load engine costs on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from perfcli.errors import SettingsError


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `PERFCLI_CACHE_DIR`, else perfcli's folder in `XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        SettingsError: None of them is set and the user has no home folder.
    """
    if own := environ.get("PERFCLI_CACHE_DIR"):
        return Path(own)
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    try:
        # The XDG standard says to ignore a path that is not absolute.
        return (base if base.is_absolute() else Path.home() / ".cache") / "perfcli"
    except RuntimeError:
        raise SettingsError("There is no home folder for the cache.", "Set PERFCLI_CACHE_DIR.") from None
