"""What a server says of itself at its start: where it is and what it serves, once it does, and what is amiss."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address

from perfcli.errors import MeasurementError
from perfcli.hosts import reachable, url_of
from perfcli.logs.query import LogQuery
from perfcli.logs.sinks import redis_url
from perfcli.logs.sources import open_source
from perfcli.secrets import mask_url
from perfcli.settings import Settings

_READY_WITHIN_S = 600.0


def announce_when_ready(settings: Settings, listener: socket.socket, say: Callable[[str], None]) -> None:
    """Say what is served on this socket, as soon as a request to it is answered; return at once."""
    arguments = (settings, *_reachable_address(listener), _is_public(listener), say)
    threading.Thread(target=_announce, args=arguments, name="perfcli-announcement", daemon=True).start()


def _announce(settings: Settings, host: str, port: int, is_public: bool, say: Callable[[str], None]) -> None:
    # A connection to the listening socket waits for the first worker that takes it.
    connection = HTTPConnection(host, port, timeout=_READY_WITHIN_S)
    with suppress(OSError, HTTPException), closing(connection):
        connection.request("GET", "/ready")
        if connection.getresponse().status == 200:
            # In one piece: who waits for the address has read the rest, too.
            say("\n".join(_lines(settings, host, port, is_public)))
            for problem in _stores_down(settings):
                say(f"Warning: {problem.rstrip('.')}. Log records for it wait until it answers.")


def _lines(settings: Settings, host: str, port: int, is_public: bool) -> Iterator[str]:
    monitoring = "on" if settings.enable_performance_monitoring else "off"
    model = settings.model_path or "the embedded model"
    yield f"perfcli serves {model} at {url_of(host, port)} (monitoring {monitoring}); stop with Ctrl-C."
    if "redis" in settings.logging_handler:
        store = mask_url(redis_url(settings))
        yield f"Its log is the list {settings.redis_logs_key} of {store} too: perfcli logs show --from {store}"
    if is_public and settings.api_token is None:
        yield (
            f"Warning: {settings.api_host} is reachable from outside and API_TOKEN is not set: "
            "anyone can read /logs, /performance and /metrics."
        )


def _stores_down(settings: Settings) -> Iterator[str]:
    """Ask each store for a record; yield what is wrong with those that do not answer."""
    for name in settings.logging_handler:
        if name != "stdout":
            with closing(open_source(name, settings)) as store:
                try:
                    store.read(LogQuery(limit=1))
                except MeasurementError as error:
                    yield error.message


def _reachable_address(listener: socket.socket) -> tuple[str, int]:
    """Return where a client on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    return reachable(host), port


def _is_public(listener: socket.socket) -> bool:
    return not ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback
