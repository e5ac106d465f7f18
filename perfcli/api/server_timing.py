"""The Server-Timing header of an answer: where the time of one request went, for the browser and for perfcli.

Grammar: https://www.w3.org/TR/server-timing/, a comma-separated list of `name;dur=milliseconds`.
"""

from __future__ import annotations

import functools
import re

from perfcli.api.exchange import Exchange

MAX_HEADER_BYTES = 512
_NO_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]+")


def server_timing(exchange: Exchange, now_ns: int) -> str:
    """Write parse, queue, the stages of the endpoint and the total so far, within 512 bytes.

    A phase that was not reached is left out. Of too many stages the last are left out, never the total.
    """
    header = ""
    if exchange.called_ns is not None:
        header = f"parse;dur={(exchange.called_ns - exchange.started_ns) / 1e6:.3f}, "
        if exchange.entered_ns is not None:
            header += f"queue;dur={(exchange.entered_ns - exchange.called_ns) / 1e6:.3f}, "
    total = f"total;dur={(now_ns - exchange.started_ns) / 1e6:.3f}"
    for name, spent_ns in exchange.stages_ns.items():
        metric = f"{_token(name)};dur={spent_ns / 1e6:.3f}, "
        if len(header) + len(metric) + len(total) > MAX_HEADER_BYTES:
            break
        header += metric
    return header + total


@functools.lru_cache(maxsize=256)
def _token(name: str) -> str:
    return _NO_TOKEN.sub("-", name) or "stage"
