"""What the commands that load an API share."""

from __future__ import annotations

import pytest

from perfcli.cli.loading import told_when_interrupted
from perfcli.errors import Terminated


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
def test_an_interruption_before_the_run_says_that_nothing_is_left(kind: type[KeyboardInterrupt]) -> None:
    with pytest.raises(kind, match=r"^Interrupted before anything was measured\.$"), told_when_interrupted():
        raise kind
