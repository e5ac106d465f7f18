"""What is shown is what the record keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from perfcli.cli.output import check_outputs, deliver
from perfcli.errors import UsageError
from perfcli.records.codec import decode

PROFILE = Path(__file__).parents[2] / "golden" / "profile.json"


def test_a_report_made_again_has_the_same_last_digit(tmp_path: Path, capsys):
    result = decode(json.loads(PROFILE.read_text()))
    # To the nanosecond it is 57.250 us, which is written with a 2 or a 3 at the end.
    result = replace(result, latency=replace(result.latency, median_s=57.2499996e-6))
    deliver(result, [tmp_path / "run.json"], as_json=False)
    shown = capsys.readouterr().out
    deliver(decode(json.loads((tmp_path / "run.json").read_text())), [], as_json=False)
    assert capsys.readouterr().out == shown
    assert "57.2 us" in shown or "57.3 us" in shown


def test_an_output_that_is_an_input_is_refused(tmp_path: Path):
    payload = tmp_path / "p.json"
    payload.write_text("{}")
    (tmp_path / "link.json").symlink_to(payload)
    inputs = (None, "http://localhost:8000/predict", "package.module:model", str(payload))
    for output in (payload, tmp_path / "link.json", tmp_path / ".." / tmp_path.name / "p.json"):
        with pytest.raises(UsageError, match="is read, and would be overwritten"):
            check_outputs([output], inputs=inputs)
        with pytest.raises(UsageError, match="is read, and would be overwritten"):
            check_outputs([], [output], inputs=inputs)
    check_outputs([tmp_path / "other.json"], inputs=inputs)
