"""Read the Server-Timing header: the durations a server reports of its own work.

The grammar is that of https://www.w3.org/TR/server-timing/: metrics separated by commas, each a token followed by
`;name=value` parameters whose value is a token or a quoted string.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from perfcli.statistics import median

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MILLISECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_VALUE = re.compile(rf"{_TOKEN.pattern}|{_QUOTED}", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPACE = " \t"


@dataclass(frozen=True, slots=True)
class ServerTiming:
    """One metric of one answer.

    Attributes:
        name: Name of the metric.
        duration_ms: The `dur` parameter; None when it is absent or no decimal number.
    """

    name: str
    duration_ms: float | None


def parse_server_timing(header: str) -> list[ServerTiming]:
    """Read one header line; a metric or parameter that breaks the grammar is left out, the rest is kept."""
    metrics = (_parse_metric(text) for text in _split(header, ","))
    return [metric for metric in metrics if metric is not None]


def server_timings(answers: Iterable[Iterable[str]]) -> Mapping[str, float]:
    """Return the median duration in seconds by metric over answers, in the order the metrics were first sent.

    Args:
        answers: The Server-Timing lines of each answer. A metric sent twice in one answer counts with its sum, and an
            answer without it does not count for it.
    """
    durations: dict[str, list[float]] = {}
    for lines in answers:
        for name, duration_ms in _sums(lines).items():
            durations.setdefault(name, []).append(duration_ms)
    return {name: median(values) / 1e3 for name, values in durations.items()}


def _sums(lines: Iterable[str]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for line in lines:
        for metric in parse_server_timing(line):
            if metric.duration_ms is not None:
                sums[metric.name] = sums.get(metric.name, 0.0) + metric.duration_ms
    return sums


def _parse_metric(text: str) -> ServerTiming | None:
    name, *parameters = (part.strip(_SPACE) for part in _split(text, ";"))
    if not _TOKEN.fullmatch(name):
        return None
    values: dict[str, str] = {}
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        key, value = key.rstrip(_SPACE).lower(), value.lstrip(_SPACE)
        if equals and _TOKEN.fullmatch(key) and _VALUE.fullmatch(value):
            # The standard lets the first of two parameters of a name win.
            values.setdefault(key, _ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value)
    return ServerTiming(name, _milliseconds(values.get("dur", "")))


def _split(text: str, separator: str) -> list[str]:
    """Split where the separator is outside quotes; a quote that never closes takes the rest with it."""
    parts: list[str] = []
    start = 0
    is_quoted = is_escaped = False
    for index, sign in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif sign == "\\" and is_quoted:
            is_escaped = True
        elif sign == '"':
            is_quoted = not is_quoted
        elif sign == separator and not is_quoted:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _milliseconds(text: str) -> float | None:
    if not _MILLISECONDS.fullmatch(text):
        return None
    duration = float(text)
    return duration if math.isfinite(duration) else None
