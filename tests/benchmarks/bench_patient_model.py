"""What the embedded model costs: loading it beyond the imports it needs, one patient, and a batch."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from statistics import median
from time import perf_counter

from perfcli.bundled import bundled_path
from perfcli.payloads import Payload, read_payloads

LOAD = """
from time import perf_counter
start = perf_counter()
import pandas, sklearn.ensemble
imported = perf_counter()
from perfcli.patient_model import patient_model
print(imported - start, perf_counter() - imported)
"""


def main() -> None:
    """Print the loading times of fresh processes, then the stages of a prediction."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PERFCLI_CACHE_DIR"] = folder
        _, training_s = _load()
        imports_s, loads_s = zip(*(_load() for _ in range(5)), strict=True)
        print(f"first start: {training_s * 1e3:.0f} ms beyond the imports (trains)")
        load_s, import_s = median(loads_s), median(imports_s)
        ratio = load_s / import_s
        print(f"later start: {load_s * 1e3:.1f} ms (target 60), x{ratio:.3f} of the imports ({import_s * 1e3:.0f} ms)")
        _print_stages()


def _load() -> tuple[float, float]:
    output = subprocess.run([sys.executable, "-c", LOAD], check=True, capture_output=True, text=True).stdout
    imports_s, load_s = map(float, output.split())
    return imports_s, load_s


def _print_stages() -> None:
    from perfcli.patient_model import patient_model
    from perfcli.patient_model.features import engineer_features, to_frame

    (patient,) = read_payloads(str(bundled_path("sample_payloads/malignant.json")))
    batch: Payload = [patient] * 2000
    for name, payload, rounds in (("one patient", patient, 300), ("2000 patients", batch, 20)):
        rows = []
        for _ in range(rounds):
            marks = [perf_counter()]
            frame = to_frame(payload)
            marks.append(perf_counter())
            features = engineer_features(frame)
            marks.append(perf_counter())
            patient_model.pipeline.predict_proba(features)
            marks.append(perf_counter())
            patient_model.predict(payload)
            marks.append(perf_counter())
            rows.append([later - earlier for earlier, later in pairwise(marks)])
        frame_s, features_s, pipeline_s, predict_s = (median(column) for column in zip(*rows, strict=True))
        stages = f"frame {frame_s * 1e3:.2f}, features {features_s * 1e3:.2f}, pipeline {pipeline_s * 1e3:.2f} ms"
        share = (frame_s + features_s + pipeline_s) / predict_s
        print(f"{name}: predict {predict_s * 1e3:.2f} ms; {stages}: x{share:.2f} of it")
