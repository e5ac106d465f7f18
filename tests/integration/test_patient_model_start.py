"""The embedded model in processes of their own: the first start, the next, two at once, one without packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from perfcli.bundled import bundled_path

FIRST_USE = """
import json, logging, sys
from perfcli.patient_model import patient_model
from perfcli.payloads import read_payloads

(patient,) = read_payloads(sys.argv[1])
print(json.dumps([patient_model.model_version, patient_model.predict(patient), patient_model.predict_proba(patient)]))
"""

# Says when it has found no model and trains, and goes on only when it is told to.
RACE = """
import json, sys
from pathlib import Path
from perfcli.patient_model.cache import load_or_train
from perfcli.patient_model.predictor import PatientModel
from perfcli.patient_model.training import train
from perfcli.payloads import read_payloads

def train_together():
    print("training", flush=True)
    sys.stdin.readline()
    return train()

(patient,) = read_payloads(sys.argv[1])
model = PatientModel(load_or_train(Path(sys.argv[2]), train_together), "")
print(json.dumps(model.predict_proba(patient)))
"""

WITHOUT_SKLEARN = """
import sys
sys.modules["sklearn"] = None  # as if it were not installed
from perfcli.errors import MissingExtraError
try:
    from perfcli.patient_model import patient_model
except MissingExtraError as error:
    print(error.message, error.hint, sep="\\n")
"""

LIGHT = """
import sys
import perfcli.patient_model, perfcli.payloads
print([name for name in ("pandas", "numpy", "sklearn", "orjson", "csv", "json") if name in sys.modules])
"""

PATIENT = str(bundled_path("sample_payloads/malignant.json"))


def start(script: str, *arguments: str, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    environ = os.environ | {"PERFCLI_CACHE_DIR": str(cache)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def outcome(process: subprocess.Popen[str]) -> str:
    try:
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    return output


def test_the_first_use_trains_and_the_next_start_loads_the_same_model(tmp_path):
    first = outcome(start(FIRST_USE, PATIENT, cache=tmp_path))
    (file,) = tmp_path.iterdir()
    written = file.stat()
    second = outcome(start(FIRST_USE, PATIENT, cache=tmp_path))
    version, (diagnosis,), ((benign, malignant),) = json.loads(first)
    assert second == first
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (written.st_mtime_ns, written.st_ino)
    assert len(version) == 12
    assert diagnosis == 1
    assert malignant > 0.9 > 0.1 > benign


def test_two_processes_that_train_at_once_both_work_and_leave_one_file(tmp_path):
    racers = [start(RACE, PATIENT, str(tmp_path), cache=tmp_path) for _ in range(2)]
    try:
        # Both have found the cache empty before either is allowed to fill it.
        assert [racer.stdout.readline() for racer in racers] == ["training\n", "training\n"]
        for racer in racers:
            racer.stdin.write("\n")
            racer.stdin.flush()
        first, second = (outcome(racer) for racer in racers)
    finally:
        for racer in racers:
            racer.kill()
    assert first == second
    assert len(list(tmp_path.iterdir())) == 1
    # The file they leave is whole: a third one need not train.
    assert outcome(start(RACE, PATIENT, str(tmp_path), cache=tmp_path)) == first


def test_without_scikit_learn_the_extra_to_install_is_named(tmp_path):
    assert outcome(start(WITHOUT_SKLEARN, cache=tmp_path)).splitlines() == [
        "The embedded model needs packages that are not installed.",
        "Install them with: pip install 'perfcli[model]'",
    ]


def test_importing_the_package_and_the_payloads_imports_nothing_heavy(tmp_path):
    assert outcome(start(LIGHT, cache=tmp_path)) == "[]\n"
