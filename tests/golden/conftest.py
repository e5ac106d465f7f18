"""How a text is held to its golden file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def check() -> Callable[[str, Path], None]:
    """Compare a text with a file, or write the file when PERFCLI_GOLDEN=write asks for it."""

    def compare(text: str, file: Path) -> None:
        if os.environ.get("PERFCLI_GOLDEN") == "write":
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare
