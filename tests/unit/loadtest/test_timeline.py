from __future__ import annotations

from collections.abc import Callable

from perfcli.loadtest.messages import Endpoint, Second
from perfcli.loadtest.timeline import Timeline


def test_a_long_run_keeps_a_bounded_number_of_slots_and_every_request(
    second: Callable[..., Second], endpoint: Callable[..., Endpoint]
) -> None:
    timeline = Timeline(most_slots=8)
    for index in range(1000):
        timeline.add(second(index, endpoint([0.001] * (index % 7))))

    assert len(timeline.slots) <= 8
    assert {slot.seconds for slot in timeline.slots[:-1]} == {128}
    assert timeline.elapsed_s == 1000
    assert timeline.totals_from(0)["POST", "/predict"].requests == sum(index % 7 for index in range(1000))
    assert [slot.start_s for slot in timeline.slots] == [128.0 * part for part in range(8)]


def test_totals_asked_for_again_and_again_are_those_of_a_new_timeline(
    second: Callable[..., Second], endpoint: Callable[..., Endpoint]
) -> None:
    """Asked in the middle of slots, across joined slots, and with the window moving to and fro."""
    seconds = [second(index, endpoint([0.001 * (1 + index)] * (1 + index % 3))) for index in range(60)]
    asked = Timeline(most_slots=8)
    for count, each in enumerate(seconds, start=1):
        asked.add(each)
        fresh = Timeline(most_slots=8)
        for earlier in seconds[:count]:
            fresh.add(earlier)
        first = (count * 7) % 3
        assert asked.totals_from(first) == fresh.totals_from(first)
        assert asked.totals_from(first) == asked.totals_from(first)


def test_a_window_behind_the_last_slot_is_empty(
    second: Callable[..., Second], endpoint: Callable[..., Endpoint]
) -> None:
    timeline = Timeline()
    timeline.add(second(0, endpoint([0.001])))

    assert timeline.totals_from(1) == {}
    assert timeline.totals_from(0)["POST", "/predict"].requests == 1
