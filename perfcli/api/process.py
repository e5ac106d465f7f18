"""Run the API in a process of its own, for whoever measures it from outside: `perfcli load`, tests, `make`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import IO

from perfcli.errors import MeasurementError

_READY_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 30.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class RunningApi:
    """An API that answers.

    Attributes:
        base_url: Its address, without a slash at the end.
        pid: Its process; with several workers the one that supervises them.
    """

    base_url: str
    pid: int


@contextmanager
def running_api(
    environment: Mapping[str, str] | None = None, *, stdout: IO[bytes] | int = subprocess.DEVNULL
) -> Iterator[RunningApi]:
    """Start the API on a free loopback port and wait until it is ready; stop it, drained, at the end of the block.

    It also stops when this process dies, however it dies.

    Args:
        environment: Variables set for it over those of this process, such as `MODEL_PATH`.
        stdout: Where its log lines go.

    Raises:
        MeasurementError: It ended, or was not ready in time; with the last line it said.
    """
    with tempfile.TemporaryFile() as stderr:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with listener:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "perfcli.api.process", str(listener.fileno())],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[listener.fileno()],
                # Ctrl-C ends the measurement first; and the group reaches the workers, should it come to killing.
                start_new_session=True,
            )
        try:
            _wait_until_ready(process, port, stderr)
            yield RunningApi(f"http://127.0.0.1:{port}", process.pid)
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, stderr: IO[bytes]) -> None:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        if _is_ready(port):
            return
        time.sleep(_POLL_S)
    ended = f"ended with {process.returncode}" if process.returncode is not None else "is not ready in time"
    stderr.seek(0)
    said = stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
    raise MeasurementError(f"The embedded API {ended}: {said or 'it said nothing'}", "Try `perfcli serve` by itself.")


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=_READY_TIMEOUT_S)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _serve(descriptor: int) -> None:
    from perfcli.api.serving import run_server
    from perfcli.errors import PerfcliError
    from perfcli.settings import load_settings

    threading.Thread(target=_stop_with_parent, name="perfcli-parent", daemon=True).start()
    try:
        run_server(load_settings(), socket.socket(fileno=descriptor))
    except PerfcliError as error:
        sys.exit(str(error))


def _stop_with_parent() -> None:
    """Wait for the end of stdin: its other end closes when the parent dies, even by SIGKILL."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
