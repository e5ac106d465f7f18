"""Where records are read back from: the API, Redis, Elasticsearch, a file or stdin."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from perfcli.errors import MissingExtraError, UsageError
from perfcli.logs.sinks import elasticsearch_url, is_http_server, redis_url
from perfcli.secrets import mask_url

if TYPE_CHECKING:
    from perfcli.logs.sources.protocol import LogSource, LogStore
    from perfcli.settings import Settings


_HOST_AND_PORT = re.compile(r"[\w.-]+:[0-9]+")


def open_store(name: str, settings: Settings) -> LogStore:
    """Open the store that the settings name `redis` or `elasticsearch`.

    Raises:
        SettingsError: The address cannot be one.
        MissingExtraError: The packages of the store are not installed.
    """
    if name == "redis":
        return _redis(redis_url(settings), settings)
    return _elasticsearch(f"es+{elasticsearch_url(settings)}", settings)


def open_source(address: str, settings: Settings) -> LogSource:
    """Open what an address names.

    Args:
        address: A URL whose scheme is a key of `SOURCES`, `redis` or `elasticsearch` for the store the settings name,
            a file, or `-` for stdin.
        settings: Where the address leaves something open: keys, index, token.

    Raises:
        UsageError: The address names nothing that could be read.
        MissingExtraError: The packages of the store are not installed.
    """
    from perfcli.logs.sources.file import FileSource

    if address == "-":
        return FileSource(sys.stdin.buffer, "stdin")
    if address in {"redis", "elasticsearch"}:
        return open_store(address, settings)
    scheme = address.partition("://")[0].lower()
    if scheme in SOURCES:
        return SOURCES[scheme](address, settings)
    path = Path(address)
    if "://" in address or not address or not path.exists():
        known = ", ".join(f"{name}://" for name in SOURCES)
        hint = f"Name a file, - for stdin, redis, elasticsearch, or {known}"
        if _HOST_AND_PORT.fullmatch(address):
            hint = f"Did you mean http://{address}?"
        raise UsageError(f"There is no log at {mask_url(address) or 'an empty address'}.", hint)
    try:
        return FileSource(path.open("rb"), str(path))
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.", "Name a file that you can read.") from error


def _api(address: str, settings: Settings) -> LogSource:
    from perfcli.logs.sources.api import ApiSource

    _check(address, "http://localhost:8000")
    token = settings.api_token.get_secret_value() if settings.api_token else None
    return ApiSource(address, token)


def _redis(address: str, settings: Settings) -> LogStore:
    try:
        from perfcli.logs.sources.redis import RedisSource
    except ImportError:
        raise MissingExtraError("Reading logs from Redis", "redis") from None
    return RedisSource(address, settings.redis_logs_key)


def _elasticsearch(address: str, settings: Settings) -> LogStore:
    from perfcli.logs.sources.elasticsearch import ElasticsearchSource

    url = address.removeprefix("es+")
    _check(url, "es+http://localhost:9200")
    return ElasticsearchSource(url, settings.elasticsearch_index)


def _check(url: str, example: str) -> None:
    if not is_http_server(url):
        raise UsageError(f"{mask_url(url)} is no address of a server.", f"Write it like {example}.")


SOURCES: Mapping[str, Callable[[str, Settings], LogSource]] = {
    "http": _api,
    "https": _api,
    "redis": _redis,
    "rediss": _redis,
    "unix": _redis,
    "es+http": _elasticsearch,
    "es+https": _elasticsearch,
}
