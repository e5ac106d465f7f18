"""Payload files of every format, and the one line that says what is wrong with a bad one."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

from perfcli.errors import ExitCode, PayloadError
from perfcli.payloads import check_columns, payload_digest, read_payloads, row_count

FORMATS = "A payload is UTF-8 text: JSON (.json), JSON Lines (.jsonl, .ndjson) or CSV with a header (.csv)."


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into an empty working directory, so that messages hold its bare name."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> str:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return write


def refusal(source: str) -> tuple[str, str]:
    with pytest.raises(PayloadError) as caught:
        read_payloads(source)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ('{"a": 1, "b": 2.5, "c": "x"}', {"a": 1, "b": 2.5, "c": "x"}),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("[[1, 2.5], [3, 4]]", [[1, 2.5], [3, 4]]),
        ('{"instances": [[1, 2], [3]]}', {"instances": [[1, 2], [3]]}),
        ("{}", {}),
    ],
)
def test_a_json_file_is_one_payload(write, text, payload):
    assert read_payloads(write("payload.json", text)) == (payload,)


@pytest.mark.parametrize("name", ["payload.jsonl", "payload.ndjson", "payload.json", "payload.txt"])
def test_json_lines_is_one_payload_a_line_whatever_the_suffix(write, name):
    text = '{"a": 1}\r\n\r\n[[1, 2]]\n{"a": "\u2028 is no end of line"}\n'
    assert read_payloads(write(name, text)) == ({"a": 1}, [[1, 2]], {"a": "\u2028 is no end of line"})


def test_a_pretty_printed_matrix_is_not_taken_for_json_lines(write):
    assert read_payloads(write("matrix.json", "[\n[1, 2],\n[3, 4]\n]\n")) == ([[1, 2], [3, 4]],)
    assert read_payloads(write("matrix.json", "[[1, 2]\n,[3, 4]]\n")) == ([[1, 2], [3, 4]],)


def test_a_csv_file_is_one_payload_a_row(write):
    text = 'size, "colour",weight\n1,red,2.50\n\n-2,"dark, red", +.5e1\n007,1_000,2.\n'
    assert read_payloads(write("payload.csv", text)) == (
        {"size": 1, "colour": "red", "weight": 2.5},
        {"size": -2, "colour": "dark, red", "weight": 5.0},
        {"size": 7, "colour": "1_000", "weight": 2.0},
    )


def test_csv_keeps_integers_and_floats_apart_as_json_does(write):
    (row,) = read_payloads(write("payload.csv", "a,b,c\n3,3.0,+3\n"))
    assert [(value, type(value)) for value in row.values()] == [(3, int), (3.0, float), (3, int)]


def test_a_quoted_cell_that_looks_like_a_json_list_stays_text(write):
    assert read_payloads(write("payload.csv", 'a,b\n"[1","2]"\n"1,2",3\n')) == (
        {"a": "[1", "b": "2]"},
        {"a": "1,2", "b": 3},
    )


@pytest.mark.parametrize(
    ("text", "payloads"),
    [
        ('\ufeff{"a": 1}', ({"a": 1},)),
        ('{"a": 1}\n{"a": 2}\n', ({"a": 1}, {"a": 2})),
        ("a,b\n1,2\n", ({"a": 1, "b": 2},)),
    ],
)
def test_the_format_of_standard_input_is_detected(monkeypatch, text, payloads):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert read_payloads("-") == payloads


def test_standard_input_is_named_in_errors(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b" \n")))
    assert refusal("-") == ("standard input is empty.", FORMATS)


def test_a_missing_file_is_answered_with_the_nearest_name(write):
    write("patients.jsonl", "{}")
    assert refusal("patient.jsonl") == ("There is no file 'patient.jsonl'.", "Did you mean 'patients.jsonl'?")
    assert refusal("patients.jsn") == ("There is no file 'patients.jsn'.", "Did you mean 'patients.jsonl'?")


def test_a_file_is_not_near_because_it_ends_alike(write):
    write("bin.jsonl", "{}")
    assert refusal("missing.jsonl")[1] == "Name a file, or - for standard input."


def test_a_missing_folder_is_a_missing_file(write):
    message, hint = refusal("nowhere/patient.json")
    assert message == "There is no file 'nowhere/patient.json'."
    assert hint == "Name a file, or - for standard input."


def test_a_folder_is_refused(tmp_path):
    assert refusal(str(tmp_path)) == (f"'{tmp_path}' is a folder.", "Name one file in it.")


def test_a_path_through_a_file_is_refused(write):
    write("payload.json", "{}")
    assert refusal("payload.json/row")[0] == "Cannot read 'payload.json/row': Not a directory."


@pytest.mark.parametrize("cell", ["", " ", '""', "nan", "NaN", "-nan"])
def test_a_cell_without_a_value_is_none_whatever_the_other_cells_are(write, cell):
    name = write("a.csv", f"a,b,c\n1,{cell},3\nx,{cell},y\n{cell},2,{cell}\n")
    expected = ({"a": 1, "b": None, "c": 3}, {"a": "x", "b": None, "c": "y"}, {"a": None, "b": 2, "c": None})
    assert read_payloads(name) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", " \n", "a.json is empty."),
        ("a.json", b'{"a": "\xff"}', "a.json is not text: byte 8 is not UTF-8."),
        ("a.json", b'{"a": "\0"}', "a.json is not text: byte 8 is zero."),
        ("a.json", '{"a": NaN}', "a.json: column 'a' is nan."),
        ("a.json", '[{"a": 1}, {"a": 1e999}]', "a.json: row 2, column 'a' is inf."),
        ("a.json", "[[1, 2], [3, -Infinity]]", "a.json: row 2, column 2 is -inf."),
        ("a.json", "17", "a.json is a number, neither an object nor a list."),
        ("a.json", "null", "a.json is null, neither an object nor a list."),
        ("a.json", "[]", "a.json is a list without rows."),
        ("a.json", "[1, 2]", "a.json: row 1 is a number, neither an object nor a list."),
        ("a.json", '[{"a": 1}, true]', "a.json: row 2 is true or false, neither an object nor a list."),
        ("a.json", '[{"a": 1}, [1]]', "a.json mixes rows: row 1 is an object, row 2 is a list."),
        ("a.json", "[[1, 2], [3]]", "a.json is a ragged matrix: row 1 has 2 columns, row 2 has 1."),
        ("a.json", "[[]]", "a.json: row 1 has no columns."),
        ("a.jsonl", '{"a": 1}\n{"a": NaN}\n', "a.jsonl, line 2: column 'a' is nan."),
        ("a.jsonl", '{"a": 1}\n3\n', "a.jsonl, line 2 is a number, neither an object nor a list."),
        ("a.csv", "a,b\n", "a.csv has a header and no rows."),
        ("a.csv", "1,2\n3,4\n", "a.csv has no header: its first line holds numbers."),
        ("a.csv", "a,,c\n1,2,3\n", "a.csv: column 2 has no name."),
        ("a.csv", "a,b,a\n1,2,3\n", "a.csv: two columns are named 'a'."),
        ("a.csv", "a,b\n1,2\n3\n", "a.csv, line 3 has 1 cell, the header 2."),
        ("a.csv", "a,b\n1,2\n3,4,5\n", "a.csv, line 3 has 3 cells, the header 2."),
        ("a.csv", "a,b\n-inf,2\n", "a.csv, line 2: column 'a' is -inf."),
        ("a.csv", "a,b\n1e999,2\n", "a.csv, line 2: column 'a' is 1e999."),
        ("a.csv", 'a,b\n1,"2\n', "a.csv, line 2 is not CSV: unexpected end of data."),
        ("a.txt", "hello", "a.txt is neither JSON nor CSV."),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(write, name, content, message):
    refused, hint = refusal(write(name, content))
    assert refused == message
    assert hint


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.json", '{"a": 1,\n "b" 2}', "line 2, column 6"),
        ("a.json", '{"a": 1', "line 1, column 8"),
        ("a.json", '{"a": 9' + "9" * 5000 + "}", "line 1, column 7"),
        ("a.json", "[" * 5000, "line 1, column 1026"),
        ("a.json", '{"a": 1}\n{"a" 2}', "line 2, column 6"),
        ("a.jsonl", '{"a": 1}\n\n{"a" 2}\n', "line 3, column 6"),
    ],
)
def test_broken_json_is_refused_with_its_place_in_the_file(write, name, content, place):
    message, hint = refusal(write(name, content))
    assert message.startswith(f"{name} is not JSON: ")
    assert message.endswith(f" at {place}.")
    assert hint


@pytest.mark.parametrize(("payload", "rows"), [({"a": 1}, 1), ([{"a": 1}, {"a": 2}], 2), ([[1, 2]] * 7, 7)])
def test_rows_are_counted_by_what_one_prediction_answers(payload, rows):
    assert row_count(payload) == rows


def test_the_digest_is_the_sha256_of_the_payloads_as_sorted_json_lines():
    lines = '{"a":1,"b":2.5}\n[[1,2]]\n'
    assert payload_digest([{"b": 2.5, "a": 1}, [[1, 2]]]) == hashlib.sha256(lines.encode()).hexdigest()


def test_the_digest_is_the_same_for_the_same_payloads_in_another_format(write):
    rows = [{"b": 1.25, "a": 7}, {"b": -3.5e-7, "a": 8}]
    lines = read_payloads(write("a.jsonl", "\n".join(json.dumps(row) for row in rows)))
    cells = read_payloads(write("a.csv", "a,b\n7,1.25\n8,-3.5e-7\n"))
    assert payload_digest(lines) == payload_digest(cells)
    assert payload_digest(lines) != payload_digest(lines[:1])


def test_columns_may_come_in_any_order():
    check_columns({"b": 1, "a": 2}, ["a", "b"])


@pytest.mark.parametrize(
    ("row", "message", "hint"),
    [
        ({"height": 1, "wieght": 2}, "The model knows no column 'wieght'.", "Did you mean 'weight'?"),
        ({"height": 1, "weight": 2, "heigth": 3}, "The model knows no column 'heigth'.", "Did you mean 'height'?"),
        ({"q": 1, "z": 2}, "The model knows no column 'q' (and 1 more).", "The columns are height, weight."),
        ({"height": 1}, "The payload lacks the column 'weight'.", "It has 1 of 2."),
        ({}, "The payload lacks the column 'height' (and 1 more).", "It has 0 of 2."),
    ],
)
def test_a_wrong_column_is_named_with_the_nearest_right_one(row, message, hint):
    with pytest.raises(PayloadError) as caught:
        check_columns(row, ["height", "weight"])
    assert (caught.value.message, caught.value.hint) == (message, hint)
