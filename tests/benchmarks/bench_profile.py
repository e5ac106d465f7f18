"""What `perfcli profile` costs, and how true it is: start-up, the profiler, and the extraction, against peers."""

from __future__ import annotations

import cProfile
import json
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from perfcli.bundled import bundled_path
from perfcli.monitor.functions import count_calls, prediction_entries, top_functions
from perfcli.profiling import SamplingPlan
from perfcli.profiling.functions import function_profile
from perfcli.profiling.sampling import MAX_BLOCK_CALLS, MAX_SETTLING_CALLS, Sampler

PATIENT = bundled_path("sample_payloads/malignant.json")
HELLO = (
    "import typer\napp = typer.Typer()\n@app.command()\ndef main(name: str = 'x') -> None:\n    print(name)\napp()\n"
)


def main() -> None:
    """Print the ratios."""
    start_up()
    extraction()
    profilers()
    truth()


def in_turn(commands: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median duration of each, taken in turn so that drift hits all."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, run in commands.items():
            start = time.perf_counter()
            run()
            if number:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(durations) for name, durations in taken.items()}


def python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def start_up() -> None:
    with tempfile.TemporaryDirectory() as folder:
        hello = Path(folder) / "hello.py"
        hello.write_text(HELLO)
        times = in_turn(
            {
                "perfcli": lambda: python("-m", "perfcli", "--help"),
                "hello": lambda: python(str(hello), "--help"),
                "locust": lambda: python("-m", "locust", "--help"),
            },
            9,
        )
    print(f"perfcli --help / Typer hello-world --help: x{times['perfcli'] / times['hello']:.2f} (target <= 1.5)")
    print(f"perfcli --help / locust --help:            x{times['perfcli'] / times['locust']:.2f}")
    beyond = []
    for _ in range(9):
        start = time.perf_counter()
        python("-c", "import pandas, sklearn.ensemble")
        imports = time.perf_counter() - start
        start = time.perf_counter()
        record = json.loads(python("-m", "perfcli", "profile", str(PATIENT), "--json"))
        beyond.append(time.perf_counter() - start - record["measured_s"] - imports)
    print(f"start-up beyond `import pandas, sklearn.ensemble`: {statistics.median(beyond):.3f} s (target <= 0.3 s)")


def embedded_call() -> Callable[[], object]:
    from perfcli.targets.local import open_model

    return open_model(None, None, trust=False).prepare(json.loads(PATIENT.read_text()))


def extraction() -> None:
    call = embedded_call()
    for _ in range(5):
        call()
    # As the monitor makes a profile, and as everybody else does.
    lean, full = cProfile.Profile(subcalls=False), cProfile.Profile()
    lean.runcall(call)
    full.runcall(call)

    def ours() -> None:
        entries = prediction_entries(lean.getstats())
        count_calls(entries)
        top_functions(entries)

    def by_pstats() -> None:
        stats = pstats.Stats(full)
        stats.strip_dirs()
        stats.sort_stats("cumulative")

    times = in_turn({"ours": ours, "pstats": by_pstats}, 200)
    print(f"the monitor's call count and top five / pstats: x{times['ours'] / times['pstats']:.3f} (target <= 0.15)")


def profilers() -> None:
    import pyinstrument
    import yappi

    call = embedded_call()

    def under_cprofile() -> None:
        profile = cProfile.Profile()
        profile.enable()
        call()
        profile.disable()

    def under_pyinstrument() -> None:
        with pyinstrument.Profiler(interval=0.001):
            call()

    def under_yappi() -> None:
        yappi.start(builtins=True)
        call()
        yappi.stop()

    times = in_turn(
        {"bare": call, "cProfile": under_cprofile, "pyinstrument": under_pyinstrument, "yappi": under_yappi}, 150
    )
    for name in ("cProfile", "pyinstrument", "yappi"):
        print(f"a call under {name} / bare: x{times[name] / times['bare']:.2f}")


def truth() -> None:
    call = embedded_call()
    sampler = Sampler([call], SamplingPlan(max_time_s=10, min_runs=10**9), lambda: 0)
    sampler.warm_up()
    ratios, bare = [], []
    for round_ in sampler.run():
        durations = []
        for _ in range(MAX_SETTLING_CALLS + MAX_BLOCK_CALLS):
            start = time.perf_counter()
            call()
            durations.append(time.perf_counter() - start)
        bare += durations[MAX_SETTLING_CALLS:]
        if round_.walls_s:
            ratios.append(statistics.median(round_.walls_s) / statistics.median(durations[MAX_SETTLING_CALLS:]))
    _, overhead, functions = function_profile(sampler.rounds, 1)
    total = sum(function.self_s for function in functions)
    print(f"published median / bare loop: x{statistics.median(ratios):.4f} (target 1 +- 0.02)")
    print(
        f"function times add up to x{total / statistics.median(bare):.4f} of a bare call "
        f"(target 1 +- 0.03; corrected: {overhead.corrected}, x{overhead.ratio:.2f} under cProfile)"
    )
