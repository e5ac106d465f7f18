"""The Server-Timing header of an answer: where the time of one request went, for the browser and for perfcli.

Grammar: https://www.w3.org/TR/server-timing/, a comma-separated list of `name;dur=milliseconds`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from perfcli.api.exchange import Exchange

MAX_HEADER_BYTES = 512
# What parse, queue and total need for times of up to a month.
_MAX_STAGES_BYTES = MAX_HEADER_BYTES - 96
_FRACTIONS = tuple(f".{thousandths:03}" for thousandths in range(1000))
_NO_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]+")


def server_timing(exchange: Exchange, now_ns: int) -> str:
    """Write parse, queue, the stages of the endpoint and the total so far, within 512 bytes.

    A phase that was not reached is left out. Of too many stages the last are left out, never the total.
    """
    begun_ns, called_ns, entered_ns = exchange.begun_ns, exchange.called_ns, exchange.entered_ns
    total_us = (now_ns - begun_ns) // 1000
    stages = _stages(exchange.stages_ns) if exchange.stages_ns else ""
    if called_ns is None or entered_ns is None:
        return f"{stages}total;dur={total_us // 1000}{_FRACTIONS[total_us % 1000]}"
    parse_us, queue_us = (called_ns - begun_ns) // 1000, (entered_ns - called_ns) // 1000
    # Written out: after a prediction each first call, and the formatting of a first float, takes microseconds.
    return (
        f"parse;dur={parse_us // 1000}{_FRACTIONS[parse_us % 1000]}, "
        f"queue;dur={queue_us // 1000}{_FRACTIONS[queue_us % 1000]}, "
        f"{stages}total;dur={total_us // 1000}{_FRACTIONS[total_us % 1000]}"
    )


def _stages(stages_ns: Mapping[str, int]) -> str:
    stages = [
        f"{_token(name)};dur={spent_ns // 1_000_000}{_FRACTIONS[spent_ns // 1000 % 1000]}, "
        for name, spent_ns in stages_ns.items()
        if name != "total"
    ]
    while sum(map(len, stages)) > _MAX_STAGES_BYTES:
        stages.pop()
    return "".join(stages)


@functools.lru_cache(maxsize=256)
def _token(name: str) -> str:
    return _NO_TOKEN.sub("-", name) or "stage"
