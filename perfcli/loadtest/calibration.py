"""What the engine itself costs, measured against a server that does nothing, and kept for a day for this machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from perfcli import __version__
from perfcli.loadtest.messages import Message, Second
from perfcli.loadtest.plan import Plan
from perfcli.loadtest.tally import Durations

CALIBRATION_S = 0.4
KEPT_S = 24 * 3600.0

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True, slots=True)
class Calibration:
    """The engine on this machine.

    Attributes:
        floor_s: Median latency it measures of a server that answers at once.
        ceiling_rps: Requests it makes in one second of CPU time.
        kept: Measured for an earlier run, when the machine may have been busier.
    """

    floor_s: float
    ceiling_rps: float
    kept: bool = field(default=False, compare=False)


def calibrate(
    run: Callable[[Plan], Sequence[Message]],
    scenario: Path,
    cache: Path,
    *,
    anew: bool = False,
    clock: Callable[[], float] = time.time,
) -> Calibration | None:
    """Measure the engine, or return what was measured on this machine within the last day.

    Args:
        run: Runs a plan to its end and returns the engine's messages.
        scenario: Locustfile of one request after the other.
        cache: Folder the figures are kept in.
        anew: Measure, whatever is kept.
        clock: Tells the time in seconds since 1970.

    Returns:
        None when nothing could be measured; a run is possible without.
    """
    file = cache / f"engine-{_machine()}.json"
    known = _read(file, clock())
    if known is not None and not anew:
        return known
    with null_server() as port:
        plan = Plan(
            base_url=f"http://127.0.0.1:{port}", scenario=str(scenario), checks=(), users=1, duration_s=CALIBRATION_S
        )
        measured = _evaluate([message for message in run(plan) if isinstance(message, Second)])
    if measured is not None:
        _write(file, measured, clock())
    return measured


@contextmanager
def null_server() -> Iterator[int]:
    """Serve the same empty answer on a loopback port, one blocking thread a connection: nothing is faster for one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener,), name="perfcli-null-server", daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Wakes the accepting thread, which close alone does not.
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer, args=(connection,), name="perfcli-null-answer", daemon=True).start()


def _answer(connection: socket.socket) -> None:
    """Answer whatever arrives in one piece; the engine sends each of its requests so."""
    with connection:
        try:
            while connection.recv(65536):
                connection.sendall(_ANSWER)
        except OSError:
            return


def _evaluate(seconds: Sequence[Second]) -> Calibration | None:
    latencies = Durations()
    for second in seconds:
        for endpoint in second.endpoints:
            latencies.add(endpoint.succeeded.response)
    cpu_s = sum(second.cpu_ratio * second.elapsed_s for second in seconds)
    if not latencies.total or cpu_s <= 0:
        return None
    return Calibration(latencies.percentile_s(0.5), latencies.total / cpu_s)


def _machine() -> str:
    """Identify what the figures depend on."""
    facts = (__version__, platform.python_version(), platform.machine(), platform.node(), platform.processor())
    return hashlib.sha256("\n".join((*facts, str(os.cpu_count()))).encode()).hexdigest()[:16]


def _read(file: Path, now_s: float) -> Calibration | None:
    try:
        document = json.loads(file.read_text())
        known = Calibration(float(document["floor_s"]), float(document["ceiling_rps"]), kept=True)
        age_s = now_s - float(document["measured_at_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # A clock that was set back must not keep the figures for longer.
    return known if 0 <= age_s < KEPT_S else None


def _write(file: Path, calibration: Calibration, now_s: float) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}")
        known = {"floor_s": calibration.floor_s, "ceiling_rps": calibration.ceiling_rps, "measured_at_s": now_s}
        unfinished.write_text(json.dumps(known))
        unfinished.replace(file)
    except OSError:
        return  # A read-only home costs a second at every run, and nothing else.
