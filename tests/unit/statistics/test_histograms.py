from __future__ import annotations

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcli.statistics.histograms import decode_histogram


@settings(max_examples=50)
@given(st.lists(st.integers(1, 3_600_000_000_000), max_size=50))
def test_every_sample_the_library_recorded_is_read_within_a_thousandth(values: list[int]) -> None:
    histogram = HdrHistogram(1, 3_600_000_000_000, 3)
    for value in values:
        histogram.record_value(value)

    read = [value_s for value_s, count in decode_histogram(histogram.encode().decode()) for _ in range(count)]

    assert read == pytest.approx([value / 1e9 for value in sorted(values)], rel=1e-3)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64 at all", "SElTVA=="])
def test_what_is_no_histogram_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode_histogram(text)
