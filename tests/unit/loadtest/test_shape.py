from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.errors import UsageError
from perfcli.loadtest.plan import Segment
from perfcli.loadtest.shape import parse_shape


def test_a_shape_is_read_as_segments_that_follow_each_other() -> None:
    assert parse_shape("ramp 0-200/30s, hold 2m, spike 600/10s, soak 1h") == (
        Segment(0, 200, 30),
        Segment(200, 200, 120),
        Segment(600, 600, 10),
        Segment(200, 200, 3600),
    )


def test_a_hold_may_name_its_level_and_levels_may_be_fractions() -> None:
    assert parse_shape("hold 2.5/500ms,ramp 2.5 - 1 / 1s") == (Segment(2.5, 2.5, 0.5), Segment(2.5, 1, 1))


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "a part begins with"),
        ("ramp 0-200/30s, hodl 2m", 17, "a part begins with ramp, hold, soak, spike"),
        ("ramp 200/30s", 6, "a ramp goes on with its two levels"),
        ("hold 2m", 6, "a hold goes on with its level"),
        ("hold 5/2s, spike 10s", 18, "a spike goes on with its level"),
        ("hold 10/2x", 9, "a part ends with its duration"),
        ("hold 10/2s hold 3s", 9, "a part ends with its duration"),
        ("hold 10/0s", 9, "a duration is longer than 0"),
        ("hold 10/5s,", 12, "a part begins with"),
        ("ramp 0-0/5s", 1, "the load is 0 all the time"),
        ("hold -5/5s", 6, "a hold goes on with its level"),
    ],
)
def test_what_is_no_shape_is_refused_with_the_column_marked(text: str, column: int, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        parse_shape(text)

    assert f"at column {column}:" in caught.value.message
    assert caught.value.message.splitlines()[1:] == [f"  {text}", " " * (column + 1) + "^"]


@given(st.text(alphabet="rampholdsike 0123456789-/,.", max_size=40))
def test_any_text_is_a_shape_or_is_refused(text: str) -> None:
    try:
        segments = parse_shape(text)
    except UsageError:
        return
    assert all(segment.duration_s > 0 and min(segment.start, segment.end) >= 0 for segment in segments)
