from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from perfcli.records.load import LoadResult
from perfcli.verdicts.gating import UNGATED, point_to_failures
from perfcli.verdicts.slo import parse_slo


@pytest.mark.parametrize(
    ("successes", "failures", "slos", "said"),
    [
        (50, 50, (), "50.0 % of the requests failed, which no SLO looks at: the exit code passes over it."),
        (50, 50, ("p99 < 50ms", "throughput > 1/s"), "50.0 % of the requests failed, which no SLO looks at: the "),
        (50, 50, ("p99 < 50ms", "error_rate < 90%"), ""),
        (50, 50, ("success_rate > 1%",), ""),
        (50, 50, ("goodput(50ms) > 1/s",), ""),
        (50, 50, ("/predict: error_rate < 90%",), ""),
        (99, 1, (), ""),
        (98, 2, (), "2.0 % of the requests failed"),
        (0, 50, (), ""),
        (0, 0, (), ""),
    ],
)
def test_failures_that_no_slo_looks_at_are_pointed_to(
    make_load: Callable[..., LoadResult], successes: int, failures: int, slos: Sequence[str], said: str
) -> None:
    result = make_load([0.02] * successes, failures)
    warnings = point_to_failures(result, [parse_slo(text) for text in slos])
    told = [warning for warning in warnings if warning.code == UNGATED]
    assert [warning.message.startswith(said) for warning in told] == [True] * bool(said)
    assert [warning.hint for warning in told] == ["Gate it with --slo 'error_rate < 1%'."] * bool(said)
    assert point_to_failures(replace(result, warnings=warnings), [parse_slo("error_rate < 1%")]) == ()
