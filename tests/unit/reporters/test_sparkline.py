from __future__ import annotations

from perfcli.reporters.sparkline import sparkline


def test_the_largest_value_is_a_full_block_and_zero_the_lowest() -> None:
    assert sparkline([0, 1, 2, 4, 8]) == "▁▂▃▅█"


def test_a_missing_value_is_a_gap() -> None:
    assert sparkline([1, None, 1]) == "█ █"


def test_nothing_but_zeros_is_flat() -> None:
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""


def test_a_long_series_keeps_its_peak() -> None:
    values: list[float | None] = [0.0] * 1000
    values[777] = 5.0

    drawn = sparkline(values, width=10)

    assert drawn == "▁▁▁▁▁▁▁█▁▁"
