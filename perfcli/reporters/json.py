"""The record itself, as one JSON object: the only report from which the others can be made again."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import orjson

from perfcli.errors import UsageError
from perfcli.records.codec import Result, decode, encode


class JsonReporter:
    """Writes the record, indented; NaN cannot occur, because orjson writes it as null."""

    def write(self, result: Result, stream: TextIO) -> None:
        """Write the record and a newline."""
        stream.write(orjson.dumps(encode(result), option=orjson.OPT_INDENT_2).decode() + "\n")


def read_result(path: Path) -> Result:
    """Read a record that `JsonReporter` wrote.

    Raises:
        UsageError: The file cannot be read, is not JSON, or is not a record of ours.
    """
    try:
        content = path.read_bytes()
        if not content.strip():
            raise UsageError(f"{path} is empty.", "Make one with: perfcli profile -o run.json")
        document = orjson.loads(content)
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}: {error.strerror}.", "Make one with: perfcli profile -o run.json"
        ) from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON: {error}.", "Make one with: perfcli profile -o run.json") from error
    if not isinstance(document, dict) or "schema" not in document:
        raise UsageError(f"{path} is not a record of perfcli.", "Make one with: perfcli profile -o run.json")
    try:
        return decode(document)
    except ValueError as error:
        raise UsageError(f"{path} is not a record of this perfcli: {error}.", "Make it again.") from error
