"""How near corrected function times are to the truth: workloads of stages whose unprofiled durations are known.

Each stage is timed alone, with and without a cProfile of its own, and the correction, which knows nothing of stages,
gets all their functions together. What it leaves of each stage is compared with the unprofiled duration: the figure is
the largest distance of a share, in points. `python -m tests.benchmarks.bench_correction FILE` keeps what was measured;
tests/unit/profiling reads such a file.
"""

from __future__ import annotations

import cProfile
import json
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median

from perfcli.bundled import bundled_path
from perfcli.profiling.call_graph import entries_of
from perfcli.profiling.correction import paid_calls, without_profiler

ROUNDS = 16
SETTLING, PLAIN, PROFILED = 4, 8, 3

Stages = dict[str, Callable[[object], object]]


def main() -> None:
    """Print the distances of every workload, uncorrected, at one price for every call, and as perfcli corrects."""
    print(f"{'points away from the truth':28} {'profiled':>9} {'one price':>10} {'perfcli':>8}")
    distances = []
    for name, workload in WORKLOADS.items():
        measured = measure(workload())
        plain_us, functions = measured["plain_us"], measured["functions"]
        seen = [(self_us, calls) for _, self_us, calls in functions]
        kept = [[self_us for self_us, _ in seen], one_price(seen, sum(plain_us)), without_profiler(seen, sum(plain_us))]
        distances.append([distance(plain_us, [row[0] for row in functions], own_us) for own_us in kept])
        print(f"{name:28} {distances[-1][0]:9.1f} {distances[-1][1]:10.1f} {distances[-1][2]:8.1f}")
    means = [fmean(column) for column in zip(*distances, strict=True)]
    print(f"{'mean':28} {means[0]:9.1f} {means[1]:10.1f} {means[2]:8.1f}   target of the mean 5")


def record(path: Path) -> None:
    """Add what is measured on this Python to a file, a workload a line."""
    with path.open("a") as file:
        for name, workload in WORKLOADS.items():
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            line = {"python": version, "workload": name, **measure(workload())}
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def measure(stages: Stages) -> dict[str, list]:
    """Return unprofiled durations of the stages, and of each function its stage, self time and paid calls."""
    plain_s: list[list[float]] = []
    profiled_s: list[list[float]] = []
    profilers = [cProfile.Profile() for _ in stages]
    for _ in range(ROUNDS):
        for _ in range(SETTLING):
            run(stages)
        plain_s.extend(run(stages) for _ in range(PLAIN))
        run(stages, [cProfile.Profile() for _ in stages])
        profiled_s.extend(run(stages, profilers) for _ in range(PROFILED))
    functions = []
    for stage, profiler in enumerate(profilers):
        entries = entries_of(profiler)
        seen_s = sum(entry.inlinetime for entry in entries)
        # Switching the profiler is in the duration, and in no function.
        switching_s = fmean(taken[stage] for taken in profiled_s) - seen_s / len(profiled_s)
        quiet = (median(taken[stage] for taken in profiled_s) - switching_s) / seen_s
        for entry in entries:
            made = sum(callee.callcount for callee in entry.calls or ())
            calls = paid_calls(entry.callcount, made) / len(profiled_s)
            functions.append([stage, round(entry.inlinetime * quiet * 1e6, 3), round(calls, 3)])
    plain_us = [round(median(taken[stage] for taken in plain_s) * 1e6, 1) for stage in range(len(stages))]
    return {"stages": list(stages), "plain_us": plain_us, "functions": functions}


def run(stages: Stages, profilers: Sequence[cProfile.Profile] = ()) -> list[float]:
    """Run the stages one after the other, each on what the last one made; return their durations."""
    taken: list[float] = []
    value: object = None
    for stage, work in enumerate(stages.values()):
        start = time.perf_counter()
        if profilers:
            profilers[stage].enable()
        value = work(value)
        if profilers:
            profilers[stage].disable()
        taken.append(time.perf_counter() - start)
    return taken


def one_price(functions: Sequence[tuple[float, float]], plain_us: float) -> list[float]:
    """Return what is left when every call costs the same, and nothing takes less than no time."""
    price_us = (sum(self_us for self_us, _ in functions) - plain_us) / sum(calls for _, calls in functions)
    return [max(0.0, self_us - price_us * calls) for self_us, calls in functions]


def distance(plain_us: Sequence[float], stages: Sequence[int], own_us: Sequence[float]) -> float:
    """Return the largest difference between the share of a stage and its true share, in points."""
    left_us = [0.0] * len(plain_us)
    for stage, self_us in zip(stages, own_us, strict=True):
        left_us[stage] += self_us
    together_us, truth_us = sum(left_us), sum(plain_us)
    return max(
        abs(100 * left / together_us - 100 * plain / truth_us) for left, plain in zip(left_us, plain_us, strict=True)
    )


def patient(rows: int) -> Stages:
    """Return the embedded model: pandas, a scaler, and trees in compiled code."""
    from perfcli.patient_model import patient_model
    from perfcli.patient_model.features import engineer_features, to_frame

    row = json.loads(bundled_path("sample_payloads/malignant.json").read_text())
    scaler, classifier = (step for _, step in patient_model.pipeline.steps)
    return {
        "features": lambda _: engineer_features(to_frame([row] * rows)),
        "scaler": scaler.transform,
        "classifier": classifier.predict_proba,
    }


def forest() -> Stages:
    """Return many small trees after two encoders."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(300, 8)), columns=list("abcdefgh"))
    frame["k"] = draw.choice(["u", "v", "w"], 300)
    columns = ColumnTransformer([("n", StandardScaler(), list("abcdefgh")), ("c", OneHotEncoder(), ["k"])]).fit(frame)
    trees = RandomForestClassifier(60, random_state=0, n_jobs=1)
    trees.fit(columns.transform(frame), (frame["a"] + frame["b"] > 0).astype(int))
    rows = frame.iloc[:1].to_dict("records")
    return {"frame": lambda _: pd.DataFrame(rows), "columns": columns.transform, "trees": trees.predict_proba}


def text() -> Stages:
    """Return words, counted in Python, before a linear model."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    texts = [" ".join(random.Random(seed).choices(words, k=300)) for seed in range(50)]
    counts = TfidfVectorizer(ngram_range=(1, 2)).fit(texts)
    linear = LogisticRegression().fit(counts.transform(texts), [number % 2 for number in range(50)])
    return {"counts": lambda _: counts.transform(texts[:1]), "linear": linear.predict_proba}


def kinds() -> Stages:
    """Return nothing but small calls, nothing but compiled code, pandas, regular expressions, and recursion."""
    import numpy as np
    import pandas as pd

    matrix = np.random.default_rng(0).normal(size=(200, 200))
    frame = pd.DataFrame({name: np.arange(50.0) + number for number, name in enumerate("abcdef")})
    sentence = "the quick brown fox jumps over the lazy dog " * 40
    documents = [{"a": number, "b": [1, 2, 3], "c": "x" * number} for number in range(30)]

    def small_calls(_: object) -> object:
        total = 0
        for number in range(1500):
            total = _add(total, number)
        return total

    def grouped(_: object) -> object:
        copy = frame.copy()
        copy["g"] = copy["a"] / copy["b"].clip(lower=1)
        return copy.groupby(copy["c"] > 20)["g"].mean()

    return {
        "small calls": small_calls,
        "matrices": lambda _: np.linalg.multi_dot([matrix, matrix, matrix, matrix]),
        "pandas": grouped,
        "words": lambda _: sorted({word.lower(): len(word) for word in re.findall(r"\w+", sentence)}.items()),
        "recursion": lambda _: json.loads(json.dumps(_copied(documents))),
    }


def _add(a: int, b: int) -> int:
    return a + b


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


WORKLOADS: dict[str, Callable[[], Stages]] = {
    "a patient": lambda: patient(1),
    "500 patients": lambda: patient(500),
    "a forest": forest,
    "a text": text,
    "calls of every kind": kinds,
}

if __name__ == "__main__":
    record(Path(sys.argv[1]))
