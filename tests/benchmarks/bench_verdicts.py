"""How often a comparison is right, and how near a search for capacity comes to what the server could do.

Comparisons are drawn from calls of the embedded model beside processes that work in bursts, recorded once, each from
another stretch. The server whose capacity is searched for measures it itself. Run it with `make bench`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

from perfcli.bundled import bundled_path
from perfcli.payloads import read_payloads
from perfcli.records.comparison import Turn
from perfcli.statistics import percentile
from perfcli.targets.local import open_model
from perfcli.verdicts.latency_change import Rule, changes_in_turn

RECORD_S = 45.0
TURNS = 250
NEIGHBOURS = 2
BURSTS = """
import random, time
while True:
    ends = time.perf_counter() + random.expovariate(4)
    while time.perf_counter() < ends:
        sum(range(2000))
    time.sleep(random.expovariate(3))
"""


REPEATS = 5
SLOTS = Path(__file__).parents[1] / "integration" / "cli" / "slots.py"


def main() -> None:
    """Print how many of the comparisons found what was there, and what the searches found."""
    print_comparisons()
    print_searches()


def print_comparisons() -> None:
    """Print how many of the comparisons found what was there."""
    calls_s = record()
    quartiles = ", ".join(f"{percentile(calls_s, q) * 1e3:.2f}" for q in (0.25, 0.5, 0.75))
    print(f"{len(calls_s)} calls, quartiles {quartiles} ms, comparisons of {TURNS} turns of 3 calls")
    for factor, times, wanted in (
        (1.0, 200, "at most 10 slower or faster"),
        (1.03, 200, "never slower"),
        (1.10, 100, "at least 95 slower"),
    ):
        changes = Counter(compare(calls_s, factor, seed) for seed in range(times))
        found = ", ".join(f"{count} {change}" for change, count in changes.most_common())
        print(f"  new side takes x {factor:.2f}: {found} of {times} (wanted: {wanted})")


def print_searches() -> None:
    """Print what five searches found of a server with four slots of 20 ms, each beside what the server measured."""
    print(f"{REPEATS} searches for the capacity of 4 slots of 20 ms (wanted: 0.95 to 1.05, <= 10 probes, <= 180 s)")
    found = [search() for _ in range(REPEATS)]
    known = [capacity_rps for capacity_rps in found if capacity_rps is not None]
    if known:
        print(f"  largest over smallest of {len(known)} answers: x{max(known) / min(known):.3f} (wanted: <= 1.05)")


def search() -> float | None:
    """Search once, print it, and return the answer."""
    slos = ["--slo", "p99 < 50ms", "--slo", "error_rate < 0.1%"]
    with subprocess.Popen([sys.executable, str(SLOTS)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        started = time.perf_counter()
        command = [sys.executable, "-m", "perfcli", "capacity", "--host", url, *slos, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took_s = time.perf_counter() - started
        with urlopen(f"{url}/capacity") as answer:
            truth_rps = json.load(answer)["capacity_rps"]
        server.terminate()
    document = json.loads(done.stdout)
    capacity_rps: float | None = document["capacity"]
    spent = f"{len(document['probes'])} probes, {took_s:.0f} s"
    if capacity_rps is None:
        print(f"  {document['outcome']} after {spent}: {document['reason']}", flush=True)
    else:
        knee = "" if document["knee"] is None else f", knee at x{document['knee'] / truth_rps:.3f}"
        print(
            f"  {capacity_rps:.1f}/s of {truth_rps:.1f}/s: x{capacity_rps / truth_rps:.3f}{knee}, {spent}", flush=True
        )
    return capacity_rps


def record() -> list[float]:
    """Time calls of the embedded model while the neighbours work."""
    neighbours = [subprocess.Popen([sys.executable, "-c", BURSTS]) for _ in range(NEIGHBOURS)]
    try:
        with closing(open_model(None, None, trust=False)) as target:
            call = target.prepare(read_payloads(str(bundled_path("sample_payloads/malignant.json")))[0])
            for _ in range(50):
                call()
            ends = time.perf_counter() + RECORD_S
            calls_s = []
            while time.perf_counter() < ends:
                calls_s.append(time_of(call))
            return calls_s
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()


def time_of(call: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def compare(calls_s: Sequence[float], factor: float, seed: int) -> str:
    """Compare calls with their neighbours in time, those of the new side longer by the factor."""
    source = random.Random(seed)
    start = source.randrange(len(calls_s) - 6 * TURNS)
    turns = []
    for first in range(start, start + 6 * TURNS, 6):
        sides = [tuple(calls_s[first : first + 3]), tuple(calls_s[first + 3 : first + 6])]
        source.shuffle(sides)
        turns.append(Turn(sides[0], tuple(duration * factor for duration in sides[1])))
    (metric,), _ = changes_in_turn(turns, Rule())
    return metric.change


if __name__ == "__main__":
    main()
