"""The offset of another clock lies within what every reading allows."""

from hypothesis import given
from hypothesis import strategies as st

from perfcli.loadtest.engine.clocks import Reading, offset_ns

delays = st.integers(0, 10**9)


def _reading(asked_ns: int, there_ns: int, back_ns: int, offset: int) -> Reading:
    """Ask a clock that is `offset` ahead, with so long a way there and back."""
    return Reading(asked_ns, asked_ns + there_ns + offset, asked_ns + there_ns + back_ns)


def test_with_ways_of_equal_length_the_offset_is_exact() -> None:
    assert offset_ns([_reading(1_000, 40, 40, 5_000_000)]) == 5_000_000


def test_every_reading_narrows_what_is_possible() -> None:
    # Alone, the first says 4_999_980 +- 60, and the second 5_000_020 +- 60.
    readings = [_reading(1_000, 40, 80, 5_000_000), _reading(2_000, 80, 40, 5_000_000)]
    assert offset_ns(readings) == 5_000_000


def test_processes_of_one_machine_share_a_clock_however_uneven_the_ways() -> None:
    assert offset_ns([_reading(1_000, 0, 9_000_000, 0), _reading(2_000, 5_000_000, 100, 0)]) == 0


@given(st.lists(st.tuples(delays, delays, delays), min_size=1), st.integers(-(10**15), 10**15))
def test_the_error_is_never_above_the_shortest_round_trip(ways, offset) -> None:
    readings = [_reading(asked, there, back, offset) for asked, there, back in ways]
    shortest = min(reading.round_trip_ns for reading in readings)
    assert abs(offset_ns(readings) - offset) <= shortest
