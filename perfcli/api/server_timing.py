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
    phases: dict[str, int] = {}
    if exchange.called_ns is not None:
        phases["parse"] = exchange.called_ns - exchange.started_ns
        if exchange.entered_ns is not None:
            phases["queue"] = exchange.entered_ns - exchange.called_ns
    phases |= exchange.stages_ns
    phases.pop("total", None)
    phases["total"] = now_ns - exchange.started_ns
    names, spent_ms = [*phases], [spent_ns / 1e6 for spent_ns in phases.values()]
    header = _template(tuple(names)) % tuple(spent_ms)
    while len(header) > MAX_HEADER_BYTES:
        del names[-2], spent_ms[-2]
        header = _template(tuple(names)) % tuple(spent_ms)
    return header


@functools.lru_cache(maxsize=256)
def _template(names: tuple[str, ...]) -> str:
    """Return the header with gaps for the numbers; they take half the time to fill in that it takes to write it all."""
    tokens = (_NO_TOKEN.sub("-", name) or "stage" for name in names)
    return ", ".join(token.replace("%", "%%") + ";dur=%.3f" for token in tokens)
