"""What must hold of payload files whatever is in them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcli.errors import PayloadError
from perfcli.payloads import payload_digest, read_payloads

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=8)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | names
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))
rows = st.dictionaries(names, values, max_size=5)
matrices = st.integers(1, 4).flatmap(
    lambda columns: st.lists(st.lists(scalars, min_size=columns, max_size=columns), min_size=1, max_size=4)
)
payloads = rows | st.lists(rows, min_size=1, max_size=4) | matrices


@st.composite
def tables(draw):
    """A header that is not all numbers, and rows of numbers or of words that no number parser takes."""
    header = draw(st.lists(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), min_size=1, max_size=5, unique=True))
    cells = numbers | st.from_regex(r"[b-hj-m][a-z ,\"']{0,5}[b-z]", fullmatch=True)
    width = len(header)
    return header, draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("payloads")


@given(payload=payloads, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_a_payload_written_as_json_is_read_back(folder, payload, indent, ascii_only):
    file = folder / "payload.json"
    file.write_text(json.dumps(payload, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    assert read_payloads(str(file)) == (payload,)


@given(batch=st.lists(payloads, min_size=1, max_size=4), ascii_only=st.booleans())
def test_payloads_written_as_json_lines_are_read_back(folder, batch, ascii_only):
    file = folder / "payload.jsonl"
    lines = [json.dumps(payload, ensure_ascii=ascii_only) for payload in batch]
    file.write_text("\n".join(lines), encoding="utf-8", newline="")
    assert read_payloads(str(file)) == tuple(batch)


@given(table=tables())
def test_rows_written_as_csv_are_read_back_with_their_types_and_digest(folder, table):
    header, cells = table
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *cells])
    file = folder / "payload.csv"
    file.write_bytes(text.getvalue().encode())
    expected = tuple(dict(zip(header, row, strict=True)) for row in cells)
    read = read_payloads(str(file))
    assert read == expected
    assert [[type(cell) for cell in row.values()] for row in read] == [[type(cell) for cell in row] for row in cells]
    assert payload_digest(read) == payload_digest(expected)


fragments = st.sampled_from(
    ["{", "}", "[", "]", '"a"', ":", ",", "\n", "NaN", "1e999", "-1", "null", "a", " ", "'", '"']
)
contents = st.binary(max_size=40) | st.lists(fragments, max_size=20).map(lambda parts: "".join(parts).encode())


@given(content=contents, suffix=st.sampled_from([".json", ".jsonl", ".csv", ".txt", ""]))
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(folder, content, suffix):
    file = folder / f"anything{suffix}"
    file.write_bytes(content)
    try:
        read = read_payloads(str(file))
    except PayloadError as error:
        message, hint = error.message, error.hint
        assert message
        assert hint
        assert "\n" not in message + hint
    else:
        assert read
        assert payload_digest(read)
