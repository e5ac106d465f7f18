"""Where the trained model and the calibration of the engine are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfcli.cache_folder import cache_folder
from perfcli.errors import SettingsError


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"PERFCLI_CACHE_DIR": "/models", "XDG_CACHE_HOME": "/xdg"}, Path("/models")),
        ({"XDG_CACHE_HOME": "/xdg"}, Path("/xdg/perfcli")),
        ({"XDG_CACHE_HOME": "not/absolute"}, Path.home() / ".cache/perfcli"),
        ({"PERFCLI_CACHE_DIR": "", "XDG_CACHE_HOME": ""}, Path.home() / ".cache/perfcli"),
        ({}, Path.home() / ".cache/perfcli"),
    ],
)
def test_the_folder_follows_the_environment(environ: dict[str, str], folder: Path) -> None:
    assert cache_folder(environ) == folder


def test_without_a_home_folder_the_setting_to_make_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(SettingsError, match=r"^There is no home folder for the cache\. Set PERFCLI_CACHE_DIR\.$"):
        cache_folder({})
