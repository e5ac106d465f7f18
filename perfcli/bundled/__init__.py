"""Find the scenarios and sample payloads that travel with perfcli.

In an installed wheel they lie beside this module; in a checkout they are the folders of the same names at its top.
"""

from __future__ import annotations

from pathlib import Path

from perfcli.errors import PerfcliError


def bundled_path(name: str) -> Path:
    """Locate a bundled file or folder, such as `sample_payloads/malignant.json`.

    Raises:
        PerfcliError: The installation lacks it.
    """
    here = Path(__file__).parent
    for root in (here, here.parent.parent):
        candidate = root / name
        if candidate.exists():
            return candidate
    raise PerfcliError(
        f"This installation of perfcli lacks {name}.", "Install it again: pip install --force-reinstall perfcli"
    )
