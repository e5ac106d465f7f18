"""Describe the machine and the versions: what two results must share before they can be compared."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil

from perfcli import __version__
from perfcli.records import Environment

_LIBRARIES = ("numpy", "pandas", "scipy", "sklearn", "joblib", "xgboost", "lightgbm", "onnxruntime", "torch", "httpx")


def describe_environment() -> Environment:
    """Look at the machine and at what this process has imported."""
    return Environment(
        perfcli_version=__version__,
        python_version=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu_model=_cpu_model(),
        cpus=usable_cpus(),
        memory_bytes=psutil.virtual_memory().total,
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        libraries={
            name: str(sys.modules[name].__version__)
            for name in _LIBRARIES
            if hasattr(sys.modules.get(name), "__version__")
        },
        blas_threads=_native_threads(),
        git_revision=_git_revision(),
    )


def usable_cpus() -> int:
    """Count the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _native_threads() -> dict[str, int] | None:
    """Return the threads of each native pool that is loaded; asking loads none."""
    if "numpy" not in sys.modules:
        return None
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    return {str(pool["internal_api"]): int(pool["num_threads"]) for pool in threadpool_info()}


def _git_revision() -> str | None:
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
