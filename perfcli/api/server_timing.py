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
    header = total = f"total;dur={_ms(now_ns - begun_ns)}"
    if exchange.stages_ns:
        header = _stages(exchange.stages_ns, total)
    if called_ns is not None and entered_ns is not None:
        header = f"parse;dur={_ms(called_ns - begun_ns)}, queue;dur={_ms(entered_ns - called_ns)}, {header}"
    return header


def _stages(stages_ns: Mapping[str, int], total: str) -> str:
    stages = [f"{_token(name)};dur={_ms(spent_ns)}, " for name, spent_ns in stages_ns.items() if name != "total"]
    while sum(map(len, stages)) > _MAX_STAGES_BYTES:
        stages.pop()
    return "".join((*stages, total))


def _ms(nanoseconds: int) -> str:
    # After a prediction, to format a first float takes 6 us.
    microseconds = nanoseconds // 1000
    return f"{microseconds // 1000}{_FRACTIONS[microseconds % 1000]}"


@functools.lru_cache(maxsize=256)
def _token(name: str) -> str:
    return _NO_TOKEN.sub("-", name) or "stage"
