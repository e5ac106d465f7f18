"""Text to numbers and back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli import units
from perfcli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("2m", 120), ("1h", 3600), ("10", 10), (".5", 0.5), ("250us", 0.00025), (" 3 s ", 3)],
)
def test_durations_are_read(text, seconds):
    assert units.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("read", "unit", "scale"),
    [(units.parse_ratio, "%", "1e-2"), (units.parse_duration, "ms", "1e-3"), (units.parse_duration, "us", "1e-6")],
)
def test_limits_are_read_to_the_last_bit(read, unit, scale):
    numbers = [f"{number // 100}.{number % 100:02d}" for number in range(1, 10_000)]
    assert [read(f"{number}{unit}") for number in numbers] == [
        float(Decimal(number) * Decimal(scale)) for number in numbers
    ]
    assert [read(f"{number}{unit}") for number in ("5.", ".5")] == [float(f"{n}{scale[1:]}") for n in ("5", "0.5")]


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1e3", "nan", "inf", "10 parsecs", "1s2", "1,5s"])
def test_what_is_no_duration_is_refused_with_a_hint(text):
    with pytest.raises(UsageError) as caught:
        units.parse_duration(text)
    assert repr(text) in repr(caught.value.message) or text in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "size"), [("1.5MiB", 1_572_864), ("512KiB", 524_288), ("10", 10), ("1 MB", 1_000_000), ("2GiB", 2**31)]
)
def test_sizes_are_read(text, size):
    assert units.parse_size(text) == size


@pytest.mark.parametrize(("text", "ratio"), [("1%", 0.01), ("0.01", 0.01), ("100 %", 1.0), ("0", 0.0)])
def test_ratios_are_read(text, ratio):
    assert units.parse_ratio(text) == pytest.approx(ratio)


def test_a_ratio_has_no_other_unit():
    with pytest.raises(UsageError, match="unknown unit 'ms'"):
        units.parse_ratio("5ms")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1e-9, "1.00 ns"),
        (550e-9, "550 ns"),
        (999.4e-6, "999 us"),
        (999.6e-6, "1.00 ms"),
        (0.00568, "5.68 ms"),
        (0.9996, "1.00 s"),
        (9.996, "10.0 s"),
        (99.94, "99.9 s"),
        (100, "1 m 40 s"),
        (3700, "1 h 01 m"),
        (-0.001, "-1.00 ms"),
    ],
)
def test_durations_are_written_with_three_digits(seconds, text):
    assert units.format_duration(seconds) == text


@given(st.floats(1e-9, 99))
def test_a_written_duration_is_read_back_to_three_digits(seconds):
    assert units.parse_duration(units.format_duration(seconds)) == pytest.approx(seconds, rel=5.1e-3)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (512, "512 B"), (1023.9, "1.00 KiB"), (12345, "12.1 KiB"), (263 * 2**20, "263 MiB")]
)
def test_sizes_are_written_with_three_digits(size, text):
    assert units.format_size(size) == text


@pytest.mark.parametrize(("rate", "text"), [(1234, "1234/s"), (5.678, "5.68/s"), (999.9, "1000/s"), (0, "0/s")])
def test_rates_are_written(rate, text):
    assert units.format_rate(rate) == text


def test_multiples_are_written():
    assert (units.format_multiple(15.78), units.format_multiple(49712.3)) == ("15.8x", "49712x")


@pytest.mark.parametrize(
    ("by", "load", "text"), [("rate", 1, "1.00/s"), ("users", 1, "1 user"), ("users", 12, "12 users")]
)
def test_loads_are_written(by, load, text):
    assert units.format_load(load, by) == text


def test_ratios_are_written_as_percentages():
    assert units.format_ratio(0.1254) == "12.5 %"


def test_what_changed_is_written_with_its_sign():
    assert [units.format_change(ratio) for ratio in (1.2, 1, 0.958)] == ["+20.0 %", "+0.0 %", "-4.2 %"]
    assert [units.format_difference(seconds) for seconds in (0.0013, 0, -412e-6)] == ["+1.30 ms", "0 s", "-412 us"]


@given(st.integers(0, 2**45))
def test_a_size_survives_the_json_key_to_the_byte(size):
    assert units.from_mebibytes(units.to_mebibytes(size)) == size


@given(st.integers(0, 10**15))
def test_a_duration_survives_the_json_key_to_the_nanosecond(nanoseconds):
    assert round(units.from_milliseconds(units.to_milliseconds(nanoseconds / 1e9)) * 1e9) == pytest.approx(
        nanoseconds, rel=1e-12
    )


def test_a_number_of_things_has_the_right_plural() -> None:
    assert [units.format_count(number, "run") for number in (0, 1, 2, 1_000_000)] == [
        "0 runs",
        "1 run",
        "2 runs",
        "1000000 runs",
    ]
    assert [units.format_count(number, "process", "processes") for number in (1, 2)] == ["1 process", "2 processes"]


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0, "0 %"),
        (0.00125, "0.125 %"),
        (0.999, "99.9 %"),
        (0.9995, "99.95 %"),
        (0.9996, "99.96 %"),
        (0.999996, "99.9996 %"),
        (1, "100 %"),
        (1.5, "150 %"),
    ],
)
def test_only_all_is_written_as_all(ratio, text):
    assert units.format_quantity(ratio, "ratio") == text


@pytest.mark.parametrize(
    ("value", "limit", "unit", "text"),
    [
        (0.05004, 0.05, "s", "50.04 ms"),
        (0.04996, 0.05, "s", "49.96 ms"),
        (0.05, 0.05, "s", "50.0 ms"),
        (0.06, 0.05, "s", "60.0 ms"),
        (100.4, 100, "s", "100.4 s"),
        (1234.4, 1234, "per_s", "1234.4/s"),
        (2**20 + 1, 2**20, "bytes", "1.000001 MiB"),
        (0.010003, 0.01, "ratio", "1.0003 %"),
        (1_000_001, 1_000_000, "count", "1000001"),
    ],
)
def test_a_number_beside_a_limit_reads_as_the_limit_only_if_it_is_the_limit(value, limit, unit, text):
    assert units.format_beside(value, limit, unit) == text
