"""Recorded runs to make reports of; the golden files are made of the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfcli.records import ProfileResult
from perfcli.records.load import LoadResult
from perfcli.reporters.json import read_result

RUNS = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="session")
def profile_result() -> ProfileResult:
    """Return a profile of the embedded model."""
    result = read_result(RUNS / "profile.json")
    assert isinstance(result, ProfileResult)
    return result


@pytest.fixture(scope="session")
def load_result() -> LoadResult:
    """Return 22 seconds of 60 arrivals a second on the embedded API."""
    result = read_result(RUNS / "load.json")
    assert isinstance(result, LoadResult)
    return result
