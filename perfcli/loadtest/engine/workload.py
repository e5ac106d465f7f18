"""What all users of one process share: the plan made ready, the counters, and whether a request may still start."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import orjson
from gevent.event import Event
from locust.env import Environment

from perfcli.bundled import bundled_path
from perfcli.errors import UsageError
from perfcli.loadtest.engine.bodies import Bodies, Body
from perfcli.loadtest.engine.checks import Checks
from perfcli.loadtest.engine.pool import Pool
from perfcli.loadtest.engine.recorder import Recorder
from perfcli.loadtest.engine.streams import Address
from perfcli.loadtest.engine.transport import Connection
from perfcli.loadtest.plan import Plan
from perfcli.loadtest.urls import DEFAULT_PORTS, address_of, carry_in_query

_WORKLOADS: WeakKeyDictionary[Environment, Workload] = WeakKeyDictionary()


class Workload:
    """A plan made ready for the users of one process.

    Attributes:
        plan: What was asked for.
        recorder: Counts every request.
        checks: Applied to every answer.
        observed: Somebody besides us listens to Locust's `request` event.
        pool: Hands out arrivals; None in the closed loop.
        spent: Set when the budget of requests is.
    """

    def __init__(self, plan: Plan, payloads: Sequence[bytes], *, index: int = 0, processes: int = 1) -> None:
        self.plan = plan
        self.recorder = Recorder(plan.open_loop)
        self.checks = Checks(plan.checks, plan.classes)
        self.observed = False
        self.pool: Pool | None = None
        self.spent = Event()
        self._bodies = Bodies(payloads, plan.payload_order, plan.seed + index)
        # In the open loop the schedule ends after so many arrivals.
        self._budget = None if plan.requests is None or plan.open_loop else share(plan.requests, index, processes)
        self._stopping = False
        self._address, self._host = _address(plan)

    def body(self, batch_size: int | None) -> Body:
        """Return the next payload, or a batch of so many."""
        return self._bodies.next(batch_size)

    def connection(self) -> Connection:
        """Make a connection to the target."""
        return Connection(self._address, self.plan.timeout_s, self.plan.max_answer_bytes, self.recorder.resent)

    def may_start(self) -> bool:
        """Take one request from the budget; false when none may start any more."""
        if self._stopping:
            return False
        if self._budget is not None:
            if self._budget == 0:
                self.spent.set()
                return False
            self._budget -= 1
        return True

    def stop(self) -> None:
        """Let no request start from now on."""
        self._stopping = True

    def request(self, method: str, path: str, body: Body) -> bytes:
        """Return a request as it goes over the wire, made when first asked for."""
        data = body.requests.get((method, path))
        if data is None:
            data = body.requests[method, path] = self._serialise(method, path, body.data)
        return data

    def _serialise(self, method: str, path: str, data: bytes) -> bytes:
        if data and method == "GET":
            path, data = carry_in_query(path, orjson.loads(data)), b""
        headers = {"Host": self._host, "Accept": "application/json", "User-Agent": "perfcli"}
        if data:
            headers["Content-Type"] = "application/json"
        given = self.plan.headers or {}
        replaced = {name.lower() for name in given}
        headers = {name: value for name, value in headers.items() if name.lower() not in replaced} | dict(given)
        if data or method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(data))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + data


def attach(environment: Environment, workload: Workload) -> None:
    """Give the users of an environment their workload."""
    _WORKLOADS[environment] = workload


def workload_of(environment: Environment) -> Workload:
    """Return the workload of an environment; under plain `locust -f` one for its host, with the bundled patients."""
    if environment not in _WORKLOADS:
        workload = Workload(Plan(base_url=environment.host or ""), bundled_payloads())
        workload.observed = True
        attach(environment, workload)
    return _WORKLOADS[environment]


def bundled_payloads() -> list[bytes]:
    """Return the patients that travel with perfcli."""
    return read_lines(bundled_path("sample_payloads/patients.jsonl"))


def read_lines(path: Path) -> list[bytes]:
    """Read a file of one JSON body a line."""
    return [line for line in path.read_bytes().splitlines() if line.strip()]


def share(total: int, index: int, processes: int) -> int:
    """Return the part of one process, so that the parts differ by one at most and sum up to the whole."""
    return total // processes + (index < total % processes)


def _address(plan: Plan) -> tuple[Address, str]:
    url = urlsplit(plan.base_url)
    if url.scheme not in DEFAULT_PORTS or not url.hostname:
        raise UsageError(f"'{plan.base_url}' is no address of a server.", "Write it like http://localhost:8000.")
    tls = None
    if url.scheme == "https":
        tls = ssl.create_default_context()
        tls.set_alpn_protocols(["http/1.1"])
        if plan.insecure:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
    return Address(*address_of(plan.base_url), tls), url.netloc.rpartition("@")[2]
