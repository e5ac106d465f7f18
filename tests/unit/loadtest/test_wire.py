"""What one side writes, the other reads."""

import pytest

from perfcli.loadtest.messages import (
    Crash,
    End,
    Endpoint,
    Failures,
    Hello,
    Latencies,
    Outcome,
    ScenarioError,
    Second,
    WorkerLost,
)
from perfcli.loadtest.plan import Plan, Segment, plan_from_json, plan_to_json
from perfcli.loadtest.wire import from_line, to_line

SOME = Outcome(2, Latencies({1500: 1, 70_000: 1}, 12_345, 12_000), Latencies({9: 2}, 18, 9))
NONE = Outcome(0, Latencies({}, 0, 0), None)


@pytest.mark.parametrize(
    "message",
    [
        Hello(2, 1.5),
        Second(
            index=4,
            elapsed_s=1.0,
            users=5,
            in_flight=1,
            in_flight_ns=800_000_000,
            scheduled=9,
            sent=8,
            late=2,
            dropped=1,
            resent=3,
            lag=Latencies({3: 8}, 24, 3),
            cpu_ratio=0.25,
            rss_bytes=1000,
            endpoints=(Endpoint("POST", "/predict", SOME, NONE, (Failures("dns", 1, "no such\nname"),)),),
            server_timing={'total;dur=1.5;desc="a, b"': 2.5},
        ),
        WorkerLost("host_1 (pid 7)", 2.5),
        End("duration", 10.0, 0.5, 9, 8, 2, 1, 0, (ScenarioError("KeyError: 'x'", 2, "Traceback"),)),
        Crash("No.", "Try again.", 3),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_survives_the_pipe_as_one_line(message) -> None:
    line = to_line(message)
    assert line.count(b"\n") == 1
    assert from_line(line) == message


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"type": "hello"}', b'{"type": "unknown"}', b"5"])
def test_what_a_dying_child_wrote_is_refused(line) -> None:
    with pytest.raises(ValueError, match="not a message of the engine"):
        from_line(line)


def test_a_plan_survives_as_json() -> None:
    plan = Plan(
        base_url="https://example.org",
        headers={"Authorization": "Bearer x"},
        classes=(0, "malignant"),
        shape=(Segment(0, 200, 30.0), Segment(200, 200, 120.0)),
        requests=5,
    )
    assert plan_from_json(plan_to_json(plan)) == plan
