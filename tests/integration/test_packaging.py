"""What is installed: the wheel carries scenarios and samples, and a missing extra is answered with its command."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from perfcli.bundled import bundled_path

ROOT = Path(__file__).parents[2]
PATIENT = bundled_path("sample_payloads/malignant.json")

HIDE = """\
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_scenarios_samples_and_the_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for folder in ("sample_payloads", "loadtests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"perfcli/bundled/{path.relative_to(ROOT)}" in names
    assert "perfcli/py.typed" in names
    assert any(name.endswith("licenses/.github/LICENSE") for name in names)
    assert not any(name.startswith("tests") for name in names)


def test_an_installed_perfcli_works_outside_a_checkout(wheel, tmp_path: Path):
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    program = "from perfcli.bundled import bundled_path; print(bundled_path('loadtests/predict.py'))"
    done = run([sys.executable, "-c", program], tmp_path, PYTHONPATH=str(installed))
    assert done.stdout.strip() == str(installed / "perfcli/bundled/loadtests/predict.py")
    done = run([sys.executable, "-m", "perfcli", "profile", "--runs", "5"], tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    assert "median" in done.stdout


@pytest.mark.parametrize(
    ("hidden", "arguments", "extra"),
    [
        (["sklearn"], ["profile"], "model"),
        (["pandas"], ["profile"], "model"),
        (["fastapi"], ["serve"], "serve"),
        (["uvicorn"], ["serve"], "serve"),
        (["locust"], ["load", "--host", "http://127.0.0.1:9", "--duration", "1s"], "load"),
        (["uvicorn"], ["capacity", "--slo", "p95 < 1s"], "load"),
        (["redis"], ["logs", "show", "--from", "redis://127.0.0.1:9/0"], "redis"),
    ],
)
def test_a_missing_extra_is_answered_with_the_command_that_installs_it(tmp_path: Path, hidden, arguments, extra):
    (tmp_path / "sitecustomize.py").write_text(HIDE.format(names=hidden))
    command = [sys.executable, "-m", "perfcli", *arguments]
    done = run(command, tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 2, done.stderr
    assert f"pip install 'perfcli[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_importing_perfcli_imports_nothing(tmp_path: Path):
    program = "import sys; before = set(sys.modules); import perfcli; print(sorted(set(sys.modules) - before))"
    assert run([sys.executable, "-c", program], tmp_path).stdout.strip() == "['perfcli']"


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
