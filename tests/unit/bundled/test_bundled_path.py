"""Files that travel with perfcli are found in a checkout and in an installed wheel."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

import perfcli.bundled
from perfcli.bundled import bundled_path
from perfcli.errors import PerfcliError

CHECKOUT = Path(__file__).parents[3]


def installed_copy(site: Path):
    """Load the module from where a wheel puts it, apart from the checkout."""
    home = site / "perfcli" / "bundled"
    home.mkdir(parents=True)
    file = Path(shutil.copy(perfcli.bundled.__file__, home))
    spec = importlib.util.spec_from_file_location("installed_bundled", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, home


def test_a_checkout_has_the_folders_at_its_top():
    assert bundled_path("sample_payloads/malignant.json") == CHECKOUT / "sample_payloads" / "malignant.json"
    assert bundled_path("sample_payloads") == CHECKOUT / "sample_payloads"


def test_an_installed_wheel_has_the_folders_beside_the_module(tmp_path):
    module, home = installed_copy(tmp_path)
    (home / "sample_payloads").mkdir()
    (tmp_path / "sample_payloads").mkdir()  # of somebody else; what is beside the module comes first
    assert module.bundled_path("sample_payloads") == home / "sample_payloads"


def test_a_file_that_is_not_there_is_named(tmp_path):
    module, _ = installed_copy(tmp_path)
    with pytest.raises(PerfcliError) as caught:
        module.bundled_path("sample_payloads/benign.json")
    assert caught.value.message == "This installation of perfcli lacks sample_payloads/benign.json."
    assert "pip install" in caught.value.hint
