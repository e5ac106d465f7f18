"""Show a recorded load as the live view does: one second for each line of stdin."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from perfcli.records.latency_counts import count_latencies
from perfcli.records.load import LoadResult
from perfcli.reporters.json import read_result
from perfcli.reporters.load_live import show_load_progress

result = read_result(Path(sys.argv[1]))
assert isinstance(result, LoadResult)
spread = count_latencies({1_000_000 * (3 + step): 60 - step for step in range(40)})
with show_load_progress(sys.stderr, "http://127.0.0.1:8000/predict  60 arrivals per second") as tell:
    for number, _ in enumerate(sys.stdin):
        second = result.seconds[number % 20]
        tell(replace(second, start_s=float(number), elapsed_s=1.0, latency_counts=spread, failure_kinds={"reset": 1}))
print("the run is over")
