"""The stores a record can go to, by the names `LOGGING_HANDLER` knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perfcli.errors import MissingExtraError, SettingsError
from perfcli.secrets import mask_url

if TYPE_CHECKING:
    from perfcli.logs.batch import Sink
    from perfcli.settings import Settings


def make_sink(name: str, settings: Settings) -> Sink:
    """Make one sink, which connects when the first batch comes.

    Raises:
        SettingsError: There is no such sink, or its address cannot be one.
        MissingExtraError: Its packages are not installed.
    """
    if name not in SINKS:
        raise SettingsError(f"LOGGING_HANDLER={name} is no log sink.", f"Known: {', '.join(SINKS)}.")
    return SINKS[name](settings)


def redis_url(settings: Settings) -> str:
    """Return the address of Redis: `REDIS_URL`, or what host, port and database make."""
    host = f"[{settings.redis_host}]" if ":" in settings.redis_host else settings.redis_host
    return settings.redis_url or f"redis://{host}:{settings.redis_port}/{settings.redis_db}"


def elasticsearch_url(settings: Settings) -> str:
    """Return the address of Elasticsearch.

    Raises:
        SettingsError: It cannot be one.
    """
    url = settings.elasticsearch_url
    if not is_http_server(url):
        raise SettingsError(
            f"ELASTICSEARCH_URL={mask_url(url)} is no address of a server.", "Write it like http://localhost:9200."
        )
    return url


def is_http_server(url: str) -> bool:
    """Tell whether a URL is the address of a server that httpx can be given."""
    import httpx

    try:
        parsed = httpx.URL(url)
        # What httpx takes for a port, it does not compare with what one can be.
        return parsed.scheme in {"http", "https"} and bool(parsed.host) and (urlsplit(url).port or 1) > 0
    except (ValueError, httpx.InvalidURL):
        return False


def _stdout(_settings: Settings) -> Sink:
    from perfcli.logs.sinks.stdout import StdoutSink

    return StdoutSink()


def _redis(settings: Settings) -> Sink:
    try:
        from perfcli.logs.sinks.redis import RedisSink
    except ImportError:
        raise MissingExtraError("Logging to Redis", "redis") from None
    url = redis_url(settings)
    try:
        return RedisSink(url, settings.redis_logs_key, settings.redis_logs_max_size)
    except ValueError:
        raise SettingsError(
            f"REDIS_URL={mask_url(url)} is no address of Redis.", "Write it like redis://localhost:6379/0."
        ) from None


def _elasticsearch(settings: Settings) -> Sink:
    from perfcli.logs.sinks.elasticsearch import ElasticsearchSink

    return ElasticsearchSink(elasticsearch_url(settings), settings.elasticsearch_index)


SINKS: Mapping[str, Callable[[Settings], Sink]] = {
    "stdout": _stdout,
    "redis": _redis,
    "elasticsearch": _elasticsearch,
}
