"""What the tests of the monitor share."""

import gc
from collections.abc import Iterator

import pytest

from perfcli.monitor import Measurement, PerformanceMonitor, block, context, deep


@pytest.fixture
def emitted() -> list[Measurement]:
    """Return the list that receives what the monitor logs."""
    return []


@pytest.fixture
def monitor(emitted: list[Measurement]) -> PerformanceMonitor:
    """Return a monitor that profiles every prediction deeply."""
    return PerformanceMonitor(emitted.append, enabled=True)


@pytest.fixture(autouse=True)
def _nobody_else_calls() -> Iterator[None]:
    """Keep the garbage collector still: its callbacks, as Hypothesis has one, are calls of whatever is running."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Check after each test that the process is as it was: no open block, no profile, and cProfile works."""
    block._warned.clear()
    deep._suspended_before.clear()
    context.CURRENT_BLOCK.set(None)
    yield
    assert context.open_blocks == set()
    assert deep.slot.profile is None
    assert deep.slot.is_free
    import cProfile

    profile = cProfile.Profile()
    profile.enable()
    profile.disable()
