"""The Server-Timing header of an answer: where the time of one request went, for the browser and for perfcli.

Grammar: https://www.w3.org/TR/server-timing/, a comma-separated list of `name;dur=milliseconds`.
"""

from __future__ import annotations

import re

from perfcli.api.exchange import Exchange

MAX_HEADER_BYTES = 512
_NO_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]+")


def server_timing(exchange: Exchange, now_ns: int) -> str:
    """Write parse, queue, the stages of the endpoint and the total so far, within 512 bytes.

    A phase that was not reached is left out. Of too many stages the last are left out, never the total.
    """
    phases: dict[str, int] = {}
    if exchange.called_ns is not None:
        phases["parse"] = exchange.called_ns - exchange.started_ns
        if exchange.entered_ns is not None:
            phases["queue"] = exchange.entered_ns - exchange.called_ns
    total = _metric("total", now_ns - exchange.started_ns)
    metrics: list[str] = []
    room = MAX_HEADER_BYTES - len(total)
    for name, spent_ns in (phases | exchange.stages_ns).items():
        metric = _metric(name, spent_ns)
        room -= len(metric) + len(", ")
        if room < 0:
            break
        metrics.append(metric)
    return ", ".join([*metrics, total])


def _metric(name: str, spent_ns: int) -> str:
    return f"{_NO_TOKEN.sub('-', name) or 'stage'};dur={spent_ns / 1e6:.3f}"
