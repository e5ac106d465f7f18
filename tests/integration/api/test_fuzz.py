"""No input makes the server fail: schemathesis reads the OpenAPI document and tries."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Server


@pytest.mark.slow
def test_no_input_is_answered_with_a_server_error(api: Server) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{api.port}/openapi.json"]
    options = ["--checks", "not_a_server_error", "--max-examples", "20", "--seed", "1", "--no-color"]
    fuzzing = subprocess.run(command + options, capture_output=True, text=True, cwd=api.log_file.parent, timeout=300)
    assert fuzzing.returncode == 0, fuzzing.stdout
    assert "7 selected / 7 total" in fuzzing.stdout
    # It took none of them down either.
    assert api.get("/ready").status == 200
