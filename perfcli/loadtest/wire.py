"""How the engine child tells it: messages, one JSON line each.

The child is started as `python -m perfcli.loadtest.engine FD`. It reads a `Plan` as JSON from stdin until end of file
and writes messages to the inherited file descriptor FD. SIGINT and SIGTERM ask it to stop and drain, a second one of
either aborts. It exits with 0 after `End` and with `exit_code` after `Crash`; without either, its stderr tells. A
parent that wants to hear Ctrl-C alone starts it in a session of its own. Standard library only: both sides import this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast

from perfcli.loadtest.messages import (
    Crash,
    End,
    Endpoint,
    Failures,
    Hello,
    Latencies,
    Message,
    Outcome,
    ScenarioError,
    ScenarioFacts,
    Second,
    WorkerLost,
)

_MESSAGES: Mapping[str, type[Message]] = {
    "hello": Hello,
    "second": Second,
    "worker_lost": WorkerLost,
    "end": End,
    "scenario_facts": ScenarioFacts,
    "crash": Crash,
}
_NAMES = {message: name for name, message in _MESSAGES.items()}


def to_line(message: Message) -> bytes:
    """Write a message as one line."""
    document = {"type": _NAMES[type(message)], **cast("dict[str, object]", plain(message))}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes | str) -> Message:
    """Read a message back.

    Raises:
        ValueError: The line is no message, for example because the child died while it wrote.
    """
    try:
        document = json.loads(line)
        name = document.pop("type")
        if name == "second":
            return _second(document)
        if name == "end":
            document["scenario_errors"] = tuple(ScenarioError(**error) for error in document["scenario_errors"])
        return _MESSAGES[name](**_frozen(document))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a message of the engine: {line!r:.200}") from error


def plain(value: object) -> object:
    """Turn dataclasses into dicts and sequences into lists, all the way down; a mapping is taken as it is."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _frozen(document: dict[str, object]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _second(document: dict[str, Any]) -> Second:
    document["lag"] = _latencies(document["lag"])
    document["endpoints"] = tuple(_endpoint(endpoint) for endpoint in document["endpoints"])
    return Second(**_frozen(document))


def _endpoint(document: dict[str, Any]) -> Endpoint:
    return Endpoint(
        method=document["method"],
        name=document["name"],
        succeeded=_outcome(document["succeeded"]),
        failed=_outcome(document["failed"]),
        failures=tuple(Failures(**failures) for failures in document["failures"]),
    )


def _outcome(document: dict[str, Any]) -> Outcome:
    service = document["service"]
    return Outcome(
        count=document["count"],
        response=_latencies(document["response"]),
        service=None if service is None else _latencies(service),
    )


def _latencies(document: dict[str, Any]) -> Latencies:
    counts = {int(bucket): count for bucket, count in document["counts"].items()}
    return Latencies(counts, document["sum_ns"], document["max_ns"])
