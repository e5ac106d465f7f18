from __future__ import annotations

from collections.abc import Callable

from perfcli.loadtest.timeline import Timeline, totals
from perfcli.loadtest.wire import Endpoint, Second


def test_a_long_run_keeps_a_bounded_number_of_slots_and_every_request(
    second: Callable[..., Second], endpoint: Callable[..., Endpoint]
) -> None:
    timeline = Timeline(most_slots=8)
    for index in range(1000):
        timeline.add(second(index, endpoint([0.001] * (index % 7))))

    assert len(timeline.slots) <= 8
    assert {slot.seconds for slot in timeline.slots[:-1]} == {128}
    assert timeline.elapsed_s == 1000
    assert totals(timeline.slots)["POST", "/predict"].requests == sum(index % 7 for index in range(1000))
    assert [slot.start_s for slot in timeline.slots] == [128.0 * part for part in range(8)]
