"""Read an SLO. The grammar, in which blanks between the parts do not matter::

    slo      = [ endpoint ":" ] metric operator value [ "abort" ]
    endpoint = the name of an endpoint as the report shows it, such as /predict
    metric   = "p" number            percentile of the latency of the successes, above p0 and below p100
             | "median" | "mean" | "max"
             | "throughput"          requests that ended per second, failed ones included
             | "goodput(" time ")"   successes per second that took no longer than this
             | "success_rate" | "error_rate"
             | "dropped" | "late"    arrivals of an open loop, as a number or as a share of all
             | "cpu"                 CPU time of one prediction, or in a load test the server's cores: 80% or 150%
             | "rss" | "peak_memory"
    operator = "<" | "<=" | ">" | ">=" | "=="
    value    = number unit
    unit     = "ns" | "us" | "ms" | "s" | "m" | "h"                             of a time
             | "/s"                                                             of a rate
             | "%"                                                              of a share
             | "B" | "KiB" | "MiB" | "GiB" | "kB" | "MB" | "GB"                 of a size
             | nothing                                                          of a number of arrivals

`abort` stops a load test as soon as the SLO cannot be met any more.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from perfcli.errors import UsageError
from perfcli.units import Unit, parse_duration, parse_ratio, parse_size

METRICS: Mapping[str, tuple[Unit, ...]] = {
    "median": ("s",),
    "mean": ("s",),
    "max": ("s",),
    "throughput": ("per_s",),
    "goodput": ("per_s",),
    "success_rate": ("ratio",),
    "error_rate": ("ratio",),
    "dropped": ("count", "ratio"),
    "late": ("count", "ratio"),
    "cpu": ("s", "ratio"),
    "rss": ("bytes",),
    "peak_memory": ("bytes",),
}
"""The metrics beside the percentiles, with the units their values may have."""

_EXAMPLES: Mapping[Unit, str] = {"s": "50ms", "per_s": "200/s", "ratio": "1%", "bytes": "300MiB", "count": "0"}
# What others call them, which may be nearer to the letters of another metric: rps to rss, latency to late.
_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("rps", "qps", "tps", "rate", "requests", "requests_per_second"), "throughput"),
    **dict.fromkeys(("latency", "duration", "response_time", "time"), "p50 or p99"),
    **dict.fromkeys(("avg", "average"), "mean"),
    "med": "median",
    **dict.fromkeys(("errors", "failures", "failed", "failure_rate", "error_ratio"), "error_rate"),
    **dict.fromkeys(("success", "successes", "availability"), "success_rate"),
    **dict.fromkeys(("memory", "mem", "ram"), "rss or peak_memory"),
    **dict.fromkeys(("maximum", "slowest"), "max"),
}
# Only these can be seen to be lost before the run ends.
_ABORTABLE = ("max", "success_rate", "error_rate", "dropped", "late", "rss")
_METRIC = re.compile(r"(?P<name>[A-Za-z_]+[0-9.]*)\s*(?:\((?P<argument>[^()]*)\))?")
_OPERATOR = re.compile(r"<=|>=|==|<|>")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_UNIT = re.compile(r"[A-Za-zµ%/]*")
_BLANKS = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Slo:
    """An expression that must hold.

    Attributes:
        text: As it was written.
        metric: A key of `METRICS`, or a percentile such as `p99.9`.
        quantile: Of a percentile, between 0 and 1; the median is one. None for other metrics.
        within_s: Limit of the goodput; None for other metrics.
        endpoint: None for all requests together.
        operator: `<`, `<=`, `>`, `>=` or `==`.
        limit: In `unit`.
        unit: Of the limit.
        aborts: A load test stops as soon as the SLO cannot be met any more.
    """

    text: str
    metric: str
    quantile: float | None
    within_s: float | None
    endpoint: str | None
    operator: str
    limit: float
    unit: Unit
    aborts: bool

    def holds(self, measured: float) -> bool:
        """Tell whether a measurement keeps the limit."""
        match self.operator:
            case "<":
                return measured < self.limit
            case "<=":
                return measured <= self.limit
            case ">":
                return measured > self.limit
            case ">=":
                return measured >= self.limit
            case _:
                return measured == self.limit


def parse_slo(text: str) -> Slo:
    """Read an SLO.

    Raises:
        UsageError: The text does not follow the grammar; the message marks the column.
    """
    return _Parser(text).parse()


class _Parser:
    """Walks over one expression; `_at` is the column reached."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parse(self) -> Slo:
        self._refuse_bytes()
        endpoint = self._endpoint()
        self._blanks()
        column = self._at
        metric, quantile, within_s = self._metric(column)
        self._blanks()
        operator = self._take(_OPERATOR)
        if operator is None:
            raise self._refusal(self._at, "a comparison is missing here", "Comparisons: <, <=, >, >=, ==.")
        self._blanks()
        limit, unit = self._value(metric)
        self._blanks()
        rest = self._text[self._at :].rstrip()
        if rest not in ("", "abort"):
            raise self._refusal(self._at, f"'{rest}' is not expected here", "Only 'abort' may follow the value.")
        if rest and not (quantile is not None or metric in _ABORTABLE):
            raise self._refusal(
                self._at, f"{metric} is known only at the end, so that nothing can abort", "Leave 'abort' out."
            )
        return Slo(self._text.strip(), metric, quantile, within_s, endpoint, operator, limit, unit, rest == "abort")

    def _refuse_bytes(self) -> None:
        """A byte of the command line that is no UTF-8 arrives as half a character, which no report can hold."""
        try:
            self._text.encode()
        except UnicodeEncodeError as error:
            raise self._refusal(error.start, "this is no UTF-8", "Write the name in UTF-8.") from error

    def _endpoint(self) -> str | None:
        """Take all up to the last colon: no metric has one, but the name of an endpoint may be a URL."""
        name, colon, _ = self._text.rpartition(":")
        if not colon:
            return None
        if not name.strip():
            raise self._refusal(0, "the name of an endpoint is missing before ':'", "/predict:p95 < 20ms")
        self._at = len(name) + 1
        return name.strip()

    def _metric(self, column: int) -> tuple[str, float | None, float | None]:
        match = _METRIC.match(self._text, column)
        if match is None:
            raise self._refusal(column, "a metric is missing here", f"Metrics: p50 to p99.9, {', '.join(METRICS)}.")
        self._at = match.end()
        name, argument = match["name"], match["argument"]
        if name == "goodput":
            return name, None, self._goodput_limit(argument, match.end("name"))
        if argument is not None:
            raise self._refusal(match.end("name"), f"{name} takes nothing in brackets", "Only goodput(50ms) does.")
        if name == "median":
            return name, 0.5, None
        if name in METRICS:
            return name, None, None
        return name, self._quantile(name, column), None

    def _goodput_limit(self, argument: str | None, column: int) -> float:
        try:
            if argument is not None and _NUMBER.fullmatch(argument.strip()) is None:
                return parse_duration(argument)
        except UsageError:
            pass
        raise self._refusal(column, "goodput needs a time with its unit in brackets", "goodput(50ms) >= 100/s")

    def _quantile(self, name: str, column: int) -> float:
        number = name.removeprefix("p")
        if number != name and _NUMBER.fullmatch(number):
            # Divided as decimals are written: 99.9 / 100 is 0.9990000000000001 in floating point.
            quantile = round(float(number) / 100, 12)
            if 0 < quantile < 1:
                return quantile
            raise self._refusal(column, f"{name} is no percentile", "p50, p95, p99.9; p100 is max.")
        nearest = difflib.get_close_matches(name, ["p50", "p95", "p99", *METRICS], n=1)
        meant = _SYNONYMS.get(name.casefold()) or (nearest[0] if nearest else None)
        hint = f"Did you mean {meant}?" if meant else f"Metrics: p50 to p99.9, {', '.join(METRICS)}."
        raise self._refusal(column, f"unknown metric '{name}'", hint)

    def _value(self, metric: str) -> tuple[float, Unit]:
        column = self._at
        units = METRICS.get(metric, ("s",))
        examples = " or ".join(_EXAMPLES[unit] for unit in units)
        number = self._take(_NUMBER)
        if number is None:
            raise self._refusal(column, "a number that is not negative is missing here", f"Write it like {examples}.")
        self._blanks()
        unit_column = self._at
        # `abort` may follow a bare number, and is no unit.
        suffix = "" if self._text.startswith("abort", self._at) else self._take(_UNIT) or ""
        for unit in units:
            value = _read(number, suffix, unit)
            if value is not None:
                return value, unit
        wrong = f"'{suffix}' is no unit of {metric}" if suffix else f"the unit of {metric} is missing here"
        raise self._refusal(unit_column, wrong, f"Write it like {examples}.")

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match[0]

    def _blanks(self) -> None:
        self._take(_BLANKS)

    def _refusal(self, column: int, what: str, hint: str) -> UsageError:
        line = self._text.translate({ord(sign): " " for sign in "\t\r\n"})
        return UsageError(f"In the SLO, column {column + 1}: {what}.\n  {line}\n  {' ' * column}^", hint)


def _read(number: str, suffix: str, unit: Unit) -> float | None:
    """Return the value if the suffix is one of this unit; a missing suffix is one only where a count is meant."""
    if unit == "count":
        return float(number) if not suffix else None
    if unit == "per_s":
        return float(number) if suffix == "/s" else None
    if not suffix or (suffix == "%") != (unit == "ratio"):
        return None
    parse = {"s": parse_duration, "bytes": parse_size, "ratio": parse_ratio}[unit]
    try:
        return parse(number + suffix)
    except UsageError:
        return None
