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


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pyproject.toml", '[tool.perfcli.laod]\nslo = ["p50 < 1us"]', ("tool.perfcli.laod", "tool.perfcli.load?")),
        (
            "pyproject.toml",
            '[tool.perfcli.load]\nslos = ["p50 < 1us"]',
            ("tool.perfcli.load.slos", "tool.perfcli.load.slo?"),
        ),
        (
            "pyproject.toml",
            '[tool.perfcli]\nslo = ["p50 < 1us"]',
            ("tool.perfcli.slo", "tool.perfcli.load.slo or tool.perfcli.profile.slo?"),
        ),
        ("perfcli.toml", '[laod]\nslo = ["p50 < 1us"]', ("laod", "load?")),
        ("perfcli.toml", 'slos = ["p50 < 1us"]', ("slos", "load.slo or profile.slo?")),
        ("perfcli.toml", '[tool.perfcli.load]\nslo = ["p50 < 1us"]', ("tool", "load, profile.")),
        # That of another run: the same file is wrong, whichever of its runs is made first.
        ("perfcli.toml", '[profile]\nslp = ["p50 < 1us"]', ("profile.slp", "profile.slo?")),
    ],
)
def test_a_table_or_key_that_nothing_reads_is_refused_and_the_nearest_named(
    tmp_path: Path, name: str, text: str, said: tuple[str, str]
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError) as refused:
        configured_slos(tmp_path, "load")
    assert refused.value.message == f"{tmp_path / name} sets {said[0]}, which nothing reads."
    assert refused.value.hint in (f"Did you mean {said[1]}", f"Known: {said[1]}")


def test_a_misspelling_of_our_table_is_refused_and_those_of_other_tools_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.ruff]\nline-length = 100\n[tool.perflint]\nslo = []\n[tools.perfcli]")
    assert configured_slos(tmp_path, "load") == ()
    file.write_text('[tool.prefcli.load]\nslo = ["p50 < 1us"]')
    with pytest.raises(SettingsError, match=r"table prefcli, which nothing reads\. Did you mean perfcli\?"):
        configured_slos(tmp_path, "load")
