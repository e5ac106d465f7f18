"""What `perfcli load` costs a person besides the load itself: the time until it begins, and from its end to the table.

The server notes when each request arrived, on the clock that all processes of a machine share.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

ROUNDS = 5
SERVER = Path(__file__).parents[1] / "integration" / "engine" / "server.py"


def main() -> None:
    """Print both times; the first run measures the engine, too, and is left out."""
    times = [_time_one_run() for _ in range(ROUNDS + 1)][1:]
    start_s, end_s = (statistics.median(each) for each in zip(*times, strict=True))
    print(f"perfcli load, median of {ROUNDS} runs")
    print(f"  start to first request {start_s:.2f} s (promised: at most 1.5 s)")
    print(f"  last request to the table and the end of the process {end_s:.2f} s (promised: at most 0.5 s)")


def _time_one_run() -> tuple[float, float]:
    """Return the seconds from the start to the first request, and from the last to the end."""
    with subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            command = [sys.executable, "-m", "perfcli", "load", "--host", url, "--path", "/fast"]
            began_s = time.perf_counter()
            subprocess.run([*command, "--rate", "100", "-t", "2s"], check=True, capture_output=True)
            ended_s = time.perf_counter()
            with urlopen(f"{url}/arrivals", timeout=10) as answer:
                arrivals_ns = json.load(answer)["/fast"]
        finally:
            server.terminate()
    return arrivals_ns[0] / 1e9 - began_s, ended_s - arrivals_ns[-1] / 1e9


if __name__ == "__main__":
    main()
