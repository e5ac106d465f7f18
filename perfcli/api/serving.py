"""Run the API on uvicorn: one process or several, on a socket that is bound before anything slow begins."""

from __future__ import annotations

import errno
import gc
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from perfcli.api.app import DRAIN_S, create_app, recent_log
from perfcli.api.payload_log import warn_of_unknown_fields
from perfcli.api.predictor import load_predictor
from perfcli.errors import UsageError
from perfcli.settings import Settings

_LISTEN_BACKLOG = 2048
# What somebody who pressed Ctrl-C twice still waits.
_LAST_RECORDS_S = 2.0
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        hint = "Choose another port with --port; --port 0 takes a free one."
        if error.errno == errno.EADDRNOTAVAIL:
            hint = "Give an address of this machine."
        raise UsageError(message, hint) from error
    return listener


def run_server(settings: Settings, listener: socket.socket) -> None:
    """Serve on this socket until SIGINT or SIGTERM, then answer what was accepted and deliver its logs.

    The signal then takes its course in the caller: by default it ends the process.

    Raises:
        PerfcliError: The model cannot be loaded.
    """
    if settings.api_workers == 1:
        app = create_app(settings)
        # What lives as long as the server need not be walked by every collection.
        gc.collect()
        gc.freeze()
        try:
            _Server(_config(app, workers=1)).run(sockets=[listener])
        finally:
            # After a second Ctrl-C nobody else does; else it is closed already.
            app.state.delivery.close(_LAST_RECORDS_S)
        return
    # A worker that cannot load it would be started again for ever.
    predictor = load_predictor(settings)
    if settings.log_payloads:
        # Once, and not by each of them.
        warn_of_unknown_fields(settings.log_redact, predictor.feature_names)
    with tempfile.TemporaryDirectory(prefix="perfcli-") as shared:
        # prometheus_client decides between one process and several when it is first imported, in each worker.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
        # Workers that make the file at the same time find the database locked.
        recent_log(settings, Path(shared))
        worker_app = _WorkerApp(settings, Path(shared))
        received = _Supervisor(_config(worker_app, settings.api_workers), [listener]).run_until_signal()
    if received is not None:
        signal.raise_signal(received)


class _Server(uvicorn.Server):
    """Ends without a word about what a second Ctrl-C cancels."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            # A traceback for each request, and one for the lifespan.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


class _Supervisor(Multiprocess):
    """Starts the workers, and remembers the signal that ended them."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        self._handlers = {number: signal.getsignal(number) for number in _ENDINGS}
        super().__init__(config, sockets)
        if self._handlers[signal.SIGHUP] is signal.SIG_IGN:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._received: int | None = None

    def run_until_signal(self) -> int | None:
        """Serve; return the signal that ended it, with the signals handled as they were before."""
        self.run()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        return self._received

    def handle_int(self) -> None:
        self._received = signal.SIGINT
        super().handle_int()

    def handle_term(self) -> None:
        self._received = signal.SIGTERM
        super().handle_term()

    def handle_hup(self) -> None:
        """A terminal that is closed ends it; uvicorn would start the workers anew, for nobody."""
        self.handle_term()


@dataclass(frozen=True, slots=True)
class _WorkerApp:
    """Makes the application inside a worker; it is pickled on the way there."""

    settings: Settings
    shared_dir: Path

    def __call__(self) -> FastAPI:
        # A terminal that is closed tells all of them; the supervisor, who ends the workers in good order, is told too.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
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
