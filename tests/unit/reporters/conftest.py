"""Recorded runs to make reports of; the golden files are made of the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfcli.records import ProfileResult
from perfcli.reporters.json import read_result

RUNS = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="session")
def profile_result() -> ProfileResult:
    """Return a profile of the embedded model."""
    result = read_result(RUNS / "profile.json")
    assert isinstance(result, ProfileResult)
    return result
