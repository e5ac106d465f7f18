"""Durations, sizes, rates and ratios to and from text; the only place that knows "ms" and "MiB"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal, TypeVar

from perfcli.errors import UsageError

Unit = Literal["s", "per_s", "ratio", "bytes", "count"]
"""What a number that names its unit beside itself, instead of in its key, may be."""

_Factor = TypeVar("_Factor")

# Below a second the power of ten, which is written behind the number: 99.9 * 0.01 is 0.9990000000000001, 99.9e-2 0.999.
_DURATION_S: Mapping[str, float | str] = {
    "ns": "e-9",
    "us": "e-6",
    "µs": "e-6",
    "ms": "e-3",
    "s": "",
    "m": 60.0,
    "h": 3600.0,
}
_DURATION_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))
_SIZE_SCALES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_SIZE_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_NUMBER_AND_UNIT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-zµ%]*)")


def parse_duration(text: str) -> float:
    """Read a duration in seconds: `500ms`, `10s`, `2m`, `1h`; a bare number is seconds.

    Raises:
        UsageError: Not a number with a known unit of time, or negative.
    """
    number, unit = _split(text, "duration", "500ms, 10s, 2m")
    return _times(number, _unit(unit or "s", _DURATION_S, text, "duration"))


def parse_size(text: str) -> int:
    """Read a size in bytes: `512KiB`, `1.5MiB`; a bare number is bytes.

    Raises:
        UsageError: Not a number with a known unit of size, or negative.
    """
    number, unit = _split(text, "size", "512KiB, 1.5MiB")
    return round(float(number) * _unit(unit or "B", _SIZE_BYTES, text, "size"))


def parse_ratio(text: str) -> float:
    """Read a ratio: `1%` and `0.01` are the same.

    Raises:
        UsageError: Neither a number nor a percentage, or negative.
    """
    number, unit = _split(text, "ratio", "1%, 0.01")
    return _times(number, _unit(unit, {"%": "e-2", "": ""}, text, "ratio"))


def format_duration(seconds: float) -> str:
    """Write a duration with three significant digits: `412 us`, `5.68 ms`, `1.05 s`."""
    size = abs(seconds)
    if size >= 99.95:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes:02d} m" if hours else f"{minutes} m {rest:02d} s"
    # 0.0009996 rounds to 1000 us in its own unit: the next unit takes over where rounding does.
    for scale, unit in _DURATION_SCALES:
        if size >= 0.9995 * scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{_three_digits(seconds * 1e9)} ns" if size else "0 s"


def format_difference(seconds: float) -> str:
    """Write by how much a duration is longer or shorter: `+1.30 ms`, `-412 us`."""
    return f"{'+' if seconds > 0 else '-' if seconds < 0 else ''}{format_duration(abs(seconds))}"


def format_size(size_bytes: float) -> str:
    """Write a size with three significant digits: `12.0 KiB`, `263 MiB`."""
    for scale, unit in _SIZE_SCALES:
        if abs(size_bytes) >= 0.9995 * scale:
            return f"{_three_digits(size_bytes / scale)} {unit}"
    return f"{size_bytes:.0f} B"


def format_ratio(ratio: float) -> str:
    """Write a ratio as a percentage: `0.125` -> `12.5 %`."""
    return f"{ratio * 100:.1f} %"


def format_change(ratio: float) -> str:
    """Write what is new over what was as the change it is: `1.2` -> `+20.0 %`."""
    return f"{(ratio - 1) * 100:+.1f} %"


def format_count(number: int, noun: str, plural: str = "") -> str:
    """Write a number of things: `1 run`, `2 runs`; the plural is the noun with an s unless it is given."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def format_multiple(ratio: float) -> str:
    """Write a ratio as a multiple: `15.8x`."""
    return f"{_three_digits(ratio)}x"


def format_rate(per_second: float) -> str:
    """Write a rate: `1234/s`, `5.68/s`."""
    return f"{_three_digits(per_second)}/s"


def format_load(load: float, by: Literal["rate", "users"]) -> str:
    """Write a load: `200/s`, `12 users`."""
    return format_rate(load) if by == "rate" else f"{load:g} user{'s' * (load != 1)}"


def format_mean(count: float) -> str:
    """Write the mean of counts with three significant digits: `0.702`, `12.5`."""
    return _three_digits(count)


def format_quantity(value: float, unit: Unit) -> str:
    """Write a number in the unit that a record names beside it; small ratios keep three digits: `0.125 %`."""
    match unit:
        case "s":
            return format_duration(value)
        case "per_s":
            return format_rate(value)
        case "bytes":
            return format_size(value)
        case "ratio":
            return f"{_three_digits(value * 100)} %" if not 0.9995 <= value < 1 else f"{_below_hundred(value)} %"
        case "count":
            return f"{value:g}"


def format_beside(value: float, limit: float, unit: Unit) -> str:
    """Write a number as `format_quantity` does, with more digits where it would read as the limit, and is not it."""
    text = format_quantity(value, unit)
    if text != format_quantity(limit, unit):
        return text
    scale, name = _scale_of(value, unit)
    for decimals in range(16):
        written = f"{value / scale:.{decimals}f}"
        if written != f"{limit / scale:.{decimals}f}":
            return f"{written}{name}"
    return text


def to_milliseconds(seconds: float) -> float:
    """Convert for the JSON keys that end in `_ms`, to the nanosecond."""
    return round(seconds * 1e3, 6)


def from_milliseconds(milliseconds: float) -> float:
    """Convert back from a JSON key that ends in `_ms`, without the dust of the division."""
    return round(milliseconds / 1e3, 12)


def to_mebibytes(size_bytes: float) -> float:
    """Convert for the JSON keys that end in `_mb`: MiB, as the original system counts them, to the byte."""
    return round(size_bytes / 2**20, 7)


def from_mebibytes(mebibytes: float) -> int:
    """Convert back from a JSON key that ends in `_mb`."""
    return round(mebibytes * 2**20)


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    # Rounded first: 9.996 has two decimals by its own size and one by the size it is printed with.
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{decimals}f}" if abs(rounded) < 1000 else f"{value:.0f}"


def _below_hundred(ratio: float) -> str:
    """Write a percentage that three digits would round to 100, with the first digit that it lacks."""
    lacking = 1 - ratio
    return f"{ratio * 100:.{-2 - math.floor(math.log10(lacking))}f}"


def _scale_of(value: float, unit: Unit) -> tuple[float, str]:
    match unit:
        case "s":
            scales, smallest = _DURATION_SCALES, (1e-9, " ns")
        case "bytes":
            scales, smallest = _SIZE_SCALES, (1, " B")
        case "ratio":
            return 0.01, " %"
        case "per_s":
            return 1, "/s"
        case "count":
            return 1, ""
    return next(((scale, f" {name}") for scale, name in scales if abs(value) >= 0.9995 * scale), smallest)


def _times(number: str, factor: float | str) -> float:
    return float(number + factor) if isinstance(factor, str) else float(number) * factor


def _split(text: str, kind: str, examples: str) -> tuple[str, str]:
    match = _NUMBER_AND_UNIT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a {kind}.", f"Write it like {examples}.")
    return match[1], match[2]


def _unit(unit: str, known: Mapping[str, _Factor], text: str, kind: str) -> _Factor:
    try:
        return known[unit]
    except KeyError:
        names = ", ".join(name for name in known if name)
        raise UsageError(f"'{text}' is not a {kind}: unknown unit '{unit}'.", f"Known units: {names}.") from None
