"""The sample payloads are what they claim: real patients the model has not seen, and mistakes of known kinds."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

import pytest

from perfcli.bundled import bundled_path
from perfcli.errors import PayloadError
from perfcli.payloads import payload_digest, read_payloads

PATIENTS = {"malignant.json": 1, "benign.json": 1, "batch.json": 10, "patients.jsonl": 100, "patients.csv": 100}

MALFORMED = {
    "binary.json": "{path} is not text: byte 1 is not UTF-8.",
    "broken.json": "{path} is not JSON: {reason} at line 6, column 3.",
    "broken.jsonl": "{path} is not JSON: {reason} at line 2, column 811.",
    "empty.json": "{path} is empty.",
    "empty_cell.csv": "mean_texture has no value.",
    "missing_column.json": "The payload lacks the column 'worst_area'.",
    "mixed.json": "{path} mixes rows: row 1 is an object, row 2 is a list.",
    "nan.csv": "mean_texture has no value.",
    "nan.json": "{path}: column 'mean_area' is nan.",
    "negative.json": "mean_area is -1.",
    "no_header.csv": "{path} has no header: its first line holds numbers.",
    "no_rows.json": "{path} is a list without rows.",
    "not_a_number.json": "mean_texture is 'rough'.",
    "ragged.json": "{path} is a ragged matrix: row 1 has 3 columns, row 2 has 2.",
    "short_row.csv": "{path}, line 2 has 29 cells, the header 30.",
    "text.json": "{path} is text, neither an object nor a list.",
    "wrong_column.json": "The model knows no column 'mean_radus'.",
}


def patients_of(name: str) -> list[object]:
    payloads = read_payloads(str(bundled_path("sample_payloads") / name))
    return [row for payload in payloads for row in (payload if isinstance(payload, list) else [payload])]


def test_every_sample_payload_is_known_to_these_tests():
    folder = bundled_path("sample_payloads")
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert files == set(PATIENTS) | {str(Path("malformed") / name) for name in MALFORMED}


@pytest.mark.parametrize(("name", "count"), PATIENTS.items())
def test_every_patient_of_a_sample_is_a_different_one_held_out(held_out, name, count):
    patients = patients_of(name)
    unseen = held_out.measurements.to_dict("records")
    assert len(patients) == count
    assert len({unseen.index(patient) for patient in patients}) == count


@pytest.mark.parametrize(("name", "diagnosis"), [("malignant.json", 1), ("benign.json", 0)])
def test_the_single_patients_have_and_get_the_diagnosis_they_are_named_for(model, held_out, name, diagnosis):
    (patient,) = read_payloads(str(bundled_path("sample_payloads") / name))
    place = held_out.measurements.to_dict("records").index(patient)
    assert held_out.malignant.iloc[place] == diagnosis
    assert model.predict(patient) == [diagnosis]


def test_the_hundred_patients_are_diagnosed_as_well_as_all_that_are_held_out(model, held_out):
    patients = patients_of("patients.jsonl")
    unseen = held_out.measurements.to_dict("records")
    truth = [held_out.malignant.iloc[unseen.index(patient)] for patient in patients]
    right = sum(ours == theirs for ours, theirs in zip(model.predict(patients), truth, strict=True))
    assert right >= 95


def test_the_csv_and_the_json_lines_hold_the_same_payloads():
    folder = bundled_path("sample_payloads")
    lines, cells = (read_payloads(str(folder / name)) for name in ("patients.jsonl", "patients.csv"))
    assert lines == cells
    assert payload_digest(lines) == payload_digest(cells)


@pytest.mark.parametrize(("name", "message"), MALFORMED.items())
def test_a_malformed_sample_is_refused_for_what_is_wrong_with_it(model, name, message):
    path = str(bundled_path("sample_payloads/malformed") / name)
    with pytest.raises(PayloadError) as caught:
        deque(map(model.predict, read_payloads(path)))
    # The reason is in the JSON parser's own words.
    expected = re.escape(message.format(path=path, reason="|")).replace(r"\|", ".+")
    assert re.fullmatch(expected, caught.value.message)
