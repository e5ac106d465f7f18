"""A run ends as soon as what was to be found out is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perfcli.bundled import bundled_path
from perfcli.loadtest.options import LoadOptions
from perfcli.loadtest.planning import plan_load
from perfcli.loadtest.run import run_load
from perfcli.records.environment import Environment
from perfcli.records.load import LoadResult


def test_a_run_whose_outcome_is_clear_ends_gracefully_and_is_not_partial(server: Any) -> None:
    plan = plan_load(
        LoadOptions(
            scenario=Path(bundled_path("loadtests/predict.py")),
            host=server.url,
            path="/sleep?s=0.05",
            payloads=[{"mean_radius": 1.0}],
            users=2,
            duration_s=60.0,
        )
    )
    asked: list[int] = []

    def enough(so_far: LoadResult) -> bool:
        asked.append(so_far.total.requests)
        return so_far.total.requests >= 20

    result = run_load(plan, Environment("0", "3", "Linux", None, 1, 1, None), should_stop=enough)

    assert asked[-1] >= 20
    assert all(count < 20 for count in asked[:-1])
    assert sum(second.requests for second in result.seconds) == server.started() == server.served()
    assert result.partial is False
    assert "stopped_early" in [warning.code for warning in result.warnings]
    assert result.seconds[-1].start_s < 30
