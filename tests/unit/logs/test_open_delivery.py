from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import orjson
import pytest

from perfcli.errors import MissingExtraError, SettingsError
from perfcli.logs import SINKS, LogEntry, MemorySink, open_delivery
from perfcli.settings import Settings


def test_the_sinks_are_those_of_the_settings_and_those_given(tmp_path: Path) -> None:
    settings = Settings(logging_handler=("stdout", "redis", "elasticsearch"), log_spool_dir=tmp_path)
    delivery = open_delivery(settings, [MemorySink(10)])
    assert list(delivery.counters().sinks) == ["stdout", "redis", "elasticsearch", "memory"]
    delivery.close()


def test_every_handler_the_settings_allow_is_a_sink() -> None:
    for name in SINKS:
        Settings(logging_handler=(name,))


def test_the_level_is_that_of_the_settings(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    delivery = open_delivery(Settings(log_level="ERROR", log_spool_dir=tmp_path))
    for level in (logging.WARNING, logging.ERROR):
        delivery.submit(LogEntry(level, "test", time.time_ns(), "m"))
    delivery.close()
    assert [orjson.loads(line)["level"] for line in capfdbinary.readouterr().out.splitlines()] == ["ERROR"]


def test_without_the_packages_of_redis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "perfcli.logs.sinks.redis", raising=False)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match=r"perfcli\[redis\]"):
        open_delivery(Settings(logging_handler=("redis",)))


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"logging_handler": ("redis",), "redis_url": "localhost:6379?password=geheim"}, "REDIS_URL"),
        ({"logging_handler": ("elasticsearch",), "elasticsearch_url": "localhost:9200"}, "ELASTICSEARCH_URL"),
        ({"logging_handler": ("elasticsearch",), "elasticsearch_url": "ftp://u:geheim@host"}, "ELASTICSEARCH_URL"),
    ],
)
def test_an_address_that_cannot_be_one_is_an_error_at_once(settings: dict[str, object], variable: str) -> None:
    with pytest.raises(SettingsError, match=variable) as error:
        open_delivery(Settings.model_validate(settings))
    assert "geheim" not in str(error.value)
