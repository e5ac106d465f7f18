"""What the commands that load an API share."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfcli.cli.loading import describe_waiting, told_when_interrupted
from perfcli.errors import Terminated
from perfcli.loadtest.options import LoadOptions
from perfcli.loadtest.planning import plan_load


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
def test_an_interruption_before_the_run_says_that_nothing_is_left(kind: type[KeyboardInterrupt]) -> None:
    with pytest.raises(kind, match=r"^Interrupted before anything was measured\.$"), told_when_interrupted():
        raise kind


@pytest.mark.parametrize(
    ("workers", "host", "said"),
    [
        (0, "127.0.0.1", ""),
        (2, "127.0.0.1", "Waiting for 2 workers at 127.0.0.1:5557, which is this machine only: --master-bind "),
        (1, "::1", "Waiting for 1 worker at [::1]:5557, which is this machine only: "),
        (1, "10.0.0.5", "Waiting for 1 worker at 10.0.0.5:5557."),
    ],
)
def test_a_master_says_whom_it_waits_for_and_who_can_come(tmp_path: Path, workers: int, host: str, said: str) -> None:
    scenario = tmp_path / "scenario.py"
    scenario.touch()
    plan = plan_load(LoadOptions(scenario=scenario, expect_workers=workers, master_host=host, master_port=5557))
    assert describe_waiting(plan).startswith(said)
    assert bool(describe_waiting(plan)) is bool(said)
