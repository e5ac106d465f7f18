from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_row_of_the_embedded_model_costs_a_hundredth_in_a_large_batch(perfcli: Run) -> None:
    done = perfcli("sweep", "--batch", "512,1", "--max-time", "3s", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema"], document["recommended"]) == (0, "perfcli/sweep/1", 512)
    assert document["gain"] > 100
    assert [point["batch"] for point in document["points"]] == [1, 512]


@pytest.mark.parametrize("arguments", [["--batch", "0"], ["--batch", "1,x"], ["--threads", ""], ["--max-time", "x"]])
def test_wrong_sizes_are_refused(perfcli: Run, arguments: list[str]) -> None:
    done = perfcli("sweep", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
