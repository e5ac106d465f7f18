"""What the tests of the profiler share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _nobody_else_calls() -> Iterator[None]:
    """Keep the garbage collector still: its callbacks, as Hypothesis has one, are calls of whatever is running."""
    gc.disable()
    yield
    gc.enable()
