from __future__ import annotations

from pathlib import Path

import pytest

from perfcli.errors import SettingsError
from perfcli.verdicts.configured import configured_slos


def test_slos_are_read_from_the_table_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "perfcli.toml").write_text(
        '[load]\nslo = ["p99 < 50ms", "error_rate < 1%"]\n[profile]\nslo = ["p50 < 5ms"]'
    )
    assert configured_slos(tmp_path, "load") == ("p99 < 50ms", "error_rate < 1%")
    assert configured_slos(tmp_path, "profile") == ("p50 < 5ms",)


def test_pyproject_is_read_when_there_is_no_file_of_our_own(tmp_path: Path) -> None:
    assert configured_slos(tmp_path, "load") == ()
    (tmp_path / "pyproject.toml").write_text('[tool.perfcli.load]\nslo = ["p99 < 50ms"]')
    assert configured_slos(tmp_path, "load") == ("p99 < 50ms",)
    assert configured_slos(tmp_path, "profile") == ()
    (tmp_path / "perfcli.toml").write_text("")
    assert configured_slos(tmp_path, "load") == ()


@pytest.mark.parametrize("text", ['[load]\nslo = "p99 < 50ms"', "[load]\nslo = [1]", "load = 3", "[load"])
def test_configuration_that_is_no_list_of_texts_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "perfcli.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"perfcli\.toml"):
        configured_slos(tmp_path, "load")
