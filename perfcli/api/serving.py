"""Run the API on uvicorn: one process or several, on a socket that is bound before anything slow begins."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from perfcli.api.app import DRAIN_S, create_app
from perfcli.errors import UsageError
from perfcli.logs.sinks import redis_url
from perfcli.secrets import mask_url
from perfcli.settings import Settings

_LISTEN_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """Open the listening socket; port 0 takes a free one.

    Raises:
        UsageError: The port is in use or not allowed, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"Cannot listen on {host}: {error.strerror}.", "Give an address of this machine.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening now makes a second server fail here, where it is a sentence, and not inside its event loop.
        listener.listen(_LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        message = f"Cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}."
        raise UsageError(message, "Choose another port with --port; --port 0 takes a free one.") from error
    return listener


def base_url(listener: socket.socket) -> str:
    """Return the address a client on this machine reaches the socket at."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def announce(settings: Settings, listener: socket.socket) -> list[str]:
    """Say what is served where, and warn when strangers could read the logs."""
    monitoring = "on" if settings.enable_performance_monitoring else "off"
    model = settings.model_path or "the embedded model"
    lines = [f"perfcli serves {model} at {base_url(listener)} (monitoring {monitoring}); stop with Ctrl-C."]
    if "redis" in settings.logging_handler:
        lines.append(f"Its log is the list {settings.redis_logs_key} of {mask_url(redis_url(settings))} too.")
    if settings.api_token is None and not ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback:
        lines.append(
            f"Warning: {settings.api_host} is reachable from outside and API_TOKEN is not set: "
            "anyone can read /logs, /performance and /metrics."
        )
    return lines


def run_server(settings: Settings, listener: socket.socket) -> None:
    """Serve on this socket until SIGINT or SIGTERM, then answer what was accepted and deliver its logs.

    Raises:
        PerfcliError: The model cannot be loaded.
    """
    with ExitStack() as cleanup:
        if settings.api_workers == 1:
            app = create_app(settings)
            # What lives as long as the server need not be walked by every collection.
            gc.collect()
            gc.freeze()
            uvicorn.Server(_config(app, workers=1)).run(sockets=[listener])
            return
        shared = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="perfcli-")))
        # prometheus_client decides between one process and several when it is first imported, in each worker.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared)
        worker_app = _WorkerApp(settings, shared)
        Multiprocess(_config(worker_app, settings.api_workers), [listener]).run()


@dataclass(frozen=True, slots=True)
class _WorkerApp:
    """Makes the application inside a worker; it is pickled on the way there."""

    settings: Settings
    shared_dir: Path

    def __call__(self) -> FastAPI:
        threading.Thread(target=_stop_with_supervisor, name="perfcli-supervisor", daemon=True).start()
        return create_app(self.settings, shared_dir=self.shared_dir)


def _stop_with_supervisor() -> None:
    """Wait for the end of the process that started this worker: a supervisor that is killed stops nobody itself."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _config(app: FastAPI | _WorkerApp, workers: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, _WorkerApp),
        workers=workers,
        http="httptools",
        # Lines of our own go to the log sinks; uvicorn would write an access log to stdout between them.
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=round(DRAIN_S),
    )
