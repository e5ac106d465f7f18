"""Read payloads from JSON, JSON Lines, CSV or standard input, and say in one line what is wrong with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TypeAlias

from perfcli.errors import PayloadError
from perfcli.units import format_count

Payload: TypeAlias = dict[str, object] | list[object]
"""The input of one prediction: an object is one row, a list of objects a batch, a list of lists a matrix."""

STDIN = "-"

_FORMATS = "A payload is UTF-8 text: JSON (.json), JSON Lines (.jsonl, .ndjson) or CSV with a header (.csv)."
_NOT_FINITE = "Put a number in, or take the row out; a value that is missing is null in JSON, an empty cell in CSV."
_ONE_A_LINE = "JSON Lines is one JSON value a line; a value over several lines belongs in a .json file."
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INFINITE_CELL = re.compile(r"[+-]?(?:inf|infinity)", re.IGNORECASE)
_MISSING_CELL = re.compile(r"(?:[+-]?nan)?", re.IGNORECASE)
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def read_payloads(source: str) -> tuple[Payload, ...]:
    """Read all payloads of a file, or of standard input when the source is `-`.

    A JSON file is one payload, JSON Lines one a line, CSV one a row; an empty cell is None, as null is in JSON. The
    suffix tells the format; without one that is known the content does. A .json file of several lines that are JSON
    each is read as JSON Lines.

    Raises:
        PayloadError: Nothing there, not text, not its format, or not an object, a list of objects or a matrix.
    """
    name = "standard input" if source == STDIN else source
    text = _decode(_read_bytes(source), name)
    if not text.strip():
        raise PayloadError(f"{name} is empty.", _FORMATS)
    read = _READERS.get(Path(source).suffix.lower(), _read_detected)
    return read(text, name)


def row_count(payload: Payload) -> int:
    """Count the rows that one prediction of this payload answers."""
    return len(payload) if isinstance(payload, list) else 1


def payload_digest(payloads: Iterable[Payload]) -> str:
    """Return the SHA-256 of the payloads; neither file format nor order of columns changes it."""
    import hashlib

    import orjson

    digest = hashlib.sha256()
    for payload in payloads:
        digest.update(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
    return digest.hexdigest()


def check_columns(row: Mapping[str, object], expected: Sequence[str]) -> None:
    """Check that a row has exactly the expected columns, in any order.

    Raises:
        PayloadError: Names the column that is unknown, with the nearest right name, or the one that is missing.
    """
    missing = [column for column in expected if column not in row]
    if not missing and len(row) == len(expected):
        return
    known = frozenset(expected)
    unknown = [column for column in row if column not in known]
    if unknown:
        # A misspelt column leaves the right one missing, so that is where the right name most likely is.
        near = _nearest(unknown[0], missing) or _nearest(unknown[0], expected)
        hint = f"Did you mean {near!r}?" if near else f"The columns are {', '.join(expected)}."
        raise PayloadError(f"The model knows no column {_and_more(unknown)}.", hint)
    raise PayloadError(f"The payload lacks the column {_and_more(missing)}.", f"It has {len(row)} of {len(expected)}.")


def _read_bytes(source: str) -> bytes:
    if source == STDIN:
        return sys.stdin.buffer.read()
    path = Path(source)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # By their stems: all that ends in .json would be near to what ends so.
        files = {other.stem: other.name for other in path.parent.glob("*")}
        near = _nearest(path.stem, list(files))
        hint = f"Did you mean '{path.with_name(files[near])}'?" if near else "Name a file, or - for standard input."
        raise PayloadError(f"There is no file '{source}'.", hint) from None
    except IsADirectoryError:
        if not source:
            raise PayloadError("The name of the payload is empty.", "Name a file, or - for standard input.") from None
        raise PayloadError(f"'{source}' is a folder.", "Name one file in it.") from None
    except OSError as error:
        raise PayloadError(
            f"Cannot read '{source}': {error.strerror}.", "Check the path and its permissions."
        ) from error


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError(f"{name} is not text: byte {error.start + 1} is not UTF-8.", _FORMATS) from None
    if "\0" in text:
        raise PayloadError(f"{name} is not text: byte {content.index(0) + 1} is zero.", _FORMATS)
    return text


def _read_detected(text: str, name: str) -> tuple[Payload, ...]:
    if text.lstrip().startswith(("{", "[")):
        return _read_json(text, name)
    if "," in text.lstrip().partition("\n")[0]:
        return _read_csv(text, name)
    raise PayloadError(f"{name} is neither JSON nor CSV.", _FORMATS)


def _read_json(text: str, name: str) -> tuple[Payload, ...]:
    if _looks_like_json_lines(text):
        return _read_json_lines(text, name)
    return (_parse(text, name),)


def _looks_like_json_lines(text: str) -> bool:
    """Tell whether the first of several lines is a whole JSON object or list by itself."""
    import orjson

    first, _, rest = text.strip().partition("\n")
    if not rest or not first.rstrip().endswith(("}", "]")):
        return False
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return True


def _read_json_lines(text: str, name: str) -> tuple[Payload, ...]:
    # Not splitlines(): U+2028 and its like end a line for Python, and stand unescaped inside JSON strings.
    lines = enumerate(text.split("\n"), start=1)
    return tuple(_parse(line, name, number) for number, line in lines if line.strip())


def _parse(text: str, name: str, line: int | None = None) -> Payload:
    """Read the JSON of a whole file, or of one line of JSON Lines."""
    # orjson reads five times as fast as the standard library, refuses NaN, and is imported where it is used because
    # `perfcli --help` needs none of it.
    import orjson

    where = f"{name}, line {line}" if line else name
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        _reject_not_finite(text, where)
        message = f"{name} is not JSON: {error.msg} at line {line or error.lineno}, column {error.colno}."
        raise PayloadError(message, _ONE_A_LINE if line else "Correct it there.") from None
    return _checked(value, where)


def _reject_not_finite(text: str, where: str) -> None:
    """Name the number that is not finite, if that is all that keeps the text from being JSON."""
    import json

    try:
        place = _find_not_finite(json.loads(text), depth=0)
    except (ValueError, RecursionError):
        return
    if place:
        raise PayloadError(f"{where}: {place}.", _NOT_FINITE)


def _find_not_finite(value: object, depth: int) -> str:
    if isinstance(value, float) and not isfinite(value):
        return f"is {value}"
    steps: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        steps = ((f"column {key!r}", inner) for key, inner in value.items())
    elif isinstance(value, list):
        steps = ((f"{'column' if depth else 'row'} {number}", inner) for number, inner in enumerate(value, start=1))
    for step, inner in steps:
        if found := _find_not_finite(inner, depth + 1):
            return f"{step}{' ' if found.startswith('is ') else ', '}{found}"
    return ""


def _checked(value: object, where: str) -> Payload:
    """Return the value if it is one of the three shapes of a payload."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise PayloadError(f"{where} is {_kind(value)}, neither an object nor a list.", _FORMATS)
    if not value:
        raise PayloadError(f"{where} is a list without rows.", "Give at least one row.")
    for number, row in enumerate(value, start=1):
        if not isinstance(row, dict | list):
            message = f"{where}: row {number} is {_kind(row)}, neither an object nor a list."
            raise PayloadError(message, "A matrix is a list of rows, [[1, 2]], and so is a single row of it.")
        if type(row) is not type(value[0]):
            message = f"{where} mixes rows: row 1 is {_kind(value[0])}, row {number} is {_kind(row)}."
            raise PayloadError(message, "Make all of them objects, or all of them lists.")
        if not row and isinstance(row, list):
            raise PayloadError(f"{where}: row {number} has no columns.", "Give every row the same columns.")
        if isinstance(row, list) and len(row) != len(value[0]):
            columns = format_count(len(value[0]), "column")
            message = f"{where} is a ragged matrix: row 1 has {columns}, row {number} has {len(row)}."
            raise PayloadError(message, "Give every row the same columns.")
    return value


def _read_csv(text: str, name: str) -> tuple[Payload, ...]:
    import csv
    import io

    rows = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        header = _checked_header([cell.strip() for cell in next(filter(None, rows))], name)
        payloads = tuple(_csv_row(header, cells, f"{name}, line {rows.line_num}") for cells in rows if cells)
    except csv.Error as error:
        raise PayloadError(f"{name}, line {rows.line_num} is not CSV: {error}.", _FORMATS) from None
    if not payloads:
        raise PayloadError(f"{name} has a header and no rows.", "Give at least one row.")
    return payloads


def _checked_header(header: list[str], name: str) -> list[str]:
    hint = "The first line names the columns, each once."
    for number, column in enumerate(header, start=1):
        if not column:
            raise PayloadError(f"{name}: column {number} has no name.", hint)
        if column in header[: number - 1]:
            raise PayloadError(f"{name}: two columns are named {column!r}.", hint)
    if all(_NUMBER.fullmatch(column) for column in header):
        raise PayloadError(f"{name} has no header: its first line holds numbers.", hint)
    return header


def _csv_row(header: Sequence[str], cells: Sequence[str], where: str) -> Payload:
    import orjson

    if len(cells) != len(header):
        raise PayloadError(
            f"{where} has {format_count(len(cells), 'cell')}, the header {len(header)}.", "Give every row all columns."
        )
    # A row of numbers is read as one JSON list, three times as fast as cell by cell. As many numbers as there are cells
    # mean one number from each: a cell with a comma in it would have made the list longer.
    try:
        values = orjson.loads(f"[{','.join(cells)}]")
    except orjson.JSONDecodeError:
        values = []
    if len(values) != len(header) or not {int, float}.issuperset(map(type, values)):
        values = [_cell(cell.strip(), column, where) for column, cell in zip(header, cells, strict=True)]
    return dict(zip(header, values, strict=True))


def _cell(text: str, column: str, where: str) -> int | float | str | None:
    """Return a number if the text is one, None for a cell without a value, else the text."""
    if _MISSING_CELL.fullmatch(text):
        return None
    if not (_NUMBER.fullmatch(text) or _INFINITE_CELL.fullmatch(text)):
        return text
    number = float(text)
    if not isfinite(number):
        raise PayloadError(f"{where}: column {column!r} is {text}.", _NOT_FINITE)
    # Integers of more than 64 bits become floats in orjson too.
    return int(text) if _INTEGER.fullmatch(text) and -(2**63) <= number < 2**64 else number


def _nearest(name: str, known: Sequence[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1)), None)


def _and_more(columns: Sequence[str]) -> str:
    return repr(columns[0]) + (f" (and {len(columns) - 1} more)" if len(columns) > 1 else "")


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


_READERS: dict[str, Callable[[str, str], tuple[Payload, ...]]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
}
