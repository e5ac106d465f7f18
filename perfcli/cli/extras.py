"""What a command needs beyond the core, asked before it starts: a missing extra is no bug, but a line to type."""

from __future__ import annotations

from importlib.util import find_spec

from perfcli.errors import MissingExtraError

PACKAGES = {
    "serve": ("fastapi", "uvicorn", "httptools", "prometheus_client"),
    "load": ("locust", "httptools", "hdrh", "fastapi", "uvicorn"),
}
"""What an extra brings that its command imports."""


def require_extra(extra: str, feature: str) -> None:
    """Make sure that an extra is installed.

    Raises:
        MissingExtraError: One of its packages is missing.
    """
    for package in PACKAGES[extra]:
        if not _is_installed(package):
            raise MissingExtraError(feature, extra)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
