"""How wide tables are where no terminal says so."""

from __future__ import annotations

import os

FILE_WIDTH = 100
"""Columns where neither a terminal nor COLUMNS says how many there are."""


def table_width(*, is_terminal: bool) -> int | None:
    """Return the columns a Rich console is to be given; None where it finds the terminal's, or COLUMNS, itself."""
    return None if is_terminal or "COLUMNS" in os.environ else FILE_WIDTH
