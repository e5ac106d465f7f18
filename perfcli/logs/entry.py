"""One log entry and the line it becomes: a JSON object with an id of its own, the same in every store."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

_JSON_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z


def _no_fields() -> Mapping[str, object]:
    return {}


@dataclass(slots=True)  # Neither frozen nor a tuple, which take half as long again to make.
class LogEntry:
    """What somebody wants to have logged; nothing in it is formatted yet.

    Attributes:
        level: Number of the level, as in `logging`.
        logger: Name of the part that speaks.
        created_ns: `time.time_ns()` of the event.
        message: For people.
        transaction_id: Id of the request the entry belongs to; None outside of requests.
        trace_id: W3C trace the request belongs to; None when it came without one.
        fields: Makes the rest of the JSON object; called once, in the thread that writes.
    """

    level: int
    logger: str
    created_ns: int
    message: str
    transaction_id: str | None = None
    trace_id: str | None = None
    fields: Callable[[], Mapping[str, object]] = _no_fields


class Record(NamedTuple):
    """One line on its way to a store.

    Attributes:
        id: Unique among all processes; the same in every retry, so that a store can recognise it.
        timestamp: UTC, ISO 8601, always with microseconds: the order of the texts is the order in time.
        line: One JSON object in UTF-8, with a newline at its end and nowhere else.
    """

    id: str
    timestamp: str
    line: bytes

    @classmethod
    def from_line(cls, line: bytes) -> Record:
        """Read a line that was written earlier.

        Raises:
            ValueError: The line is no record of ours.
        """
        document = orjson.loads(line)
        try:
            record_id, timestamp = document["event.id"], document["timestamp"]
            datetime.fromisoformat(timestamp)
        except (KeyError, TypeError):
            raise ValueError("a line without event.id and timestamp") from None
        return cls(str(record_id), timestamp, line)


def new_writer_id() -> str:
    """Return a name for one writing process that no other process ever has."""
    return secrets.token_hex(8)


class Encoder:
    """Turns entries into records, for one writing process."""

    def __init__(self, writer_id: str) -> None:
        self._prefix = f"{writer_id}-"
        self._numbers = itertools.count(1)
        self._second = -1
        self._second_text = ""

    def encode(self, entry: LogEntry) -> Record:
        """Write an entry as one line; fields that cannot be written are named in it and left out."""
        timestamp = self._timestamp(entry.created_ns)
        record_id = f"{self._prefix}{next(self._numbers)}"
        document: dict[str, object] = {
            "timestamp": timestamp,
            "level": logging.getLevelName(entry.level),
            "logger": entry.logger,
            "message": entry.message,
            "transaction_id": entry.transaction_id,
            "event.id": record_id,
        }
        if entry.trace_id is not None:
            document["trace.id"] = entry.trace_id
        fields: Mapping[str, object] = {}
        try:
            fields = entry.fields()
            line = _to_line({**document, **fields})
        except Exception as error:  # noqa: BLE001  # the fields are made by other people's code
            line = _salvaged(document, fields, error)
        return Record(record_id, timestamp, line)

    def _timestamp(self, created_ns: int) -> str:
        second, rest_ns = divmod(created_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.%%06dZ")
        return self._second_text % (rest_ns // 1000)


def _to_line(document: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(document, _unknown, _JSON_OPTIONS)
    except TypeError:
        # Keys that are no text are rare, and to allow them makes every document half as dear again.
        return orjson.dumps(document, _unknown, _JSON_OPTIONS | orjson.OPT_NON_STR_KEYS)


def _unknown(value: object) -> str:
    # The type only: the text of a stranger may be a payload, and payloads are health data.
    return f"<{type(value).__name__}>"


def _salvaged(document: Mapping[str, object], fields: Mapping[str, object], error: Exception) -> bytes:
    """Write what can be written, and name the rest: a number of more than 64 bits, or text that is no UTF-8."""
    left_out: list[str] = []
    kept = {_utf8(str(name)): _writable(value, _utf8(str(name)), left_out) for name, value in fields.items()}
    safe = {key: _utf8(value) if isinstance(value, str) else value for key, value in document.items()}
    what = f": {', '.join(left_out)}" if left_out else ""
    return _to_line(safe | kept | {"fields_error": f"{type(error).__name__}{what}"})


def _writable(value: object, name: str, left_out: list[str]) -> object:
    try:
        _to_line({"": value})
    except Exception:  # noqa: BLE001  # as above
        if isinstance(value, Mapping):
            names = {key: _utf8(str(key)) for key in value}
            return {names[key]: _writable(inner, f"{name}.{names[key]}", left_out) for key, inner in value.items()}
        left_out.append(name)
        return None
    return value


def _utf8(text: str) -> str:
    """Escape lone surrogates, which orjson refuses."""
    return text.encode("utf-8", "backslashreplace").decode()
