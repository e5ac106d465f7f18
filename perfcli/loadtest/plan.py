"""What the engine child is asked to do: one `Plan`, as JSON on its stdin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a shape, a straight line; users in the closed loop, arrivals per second in the open one.

    Attributes:
        start: Value at its beginning.
        end: Value at its end.
        duration_s: Its length; positive.
    """

    start: float
    end: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the engine needs to know; what is None is not asked for.

    Attributes:
        base_url: `http://host:port` or `https://...`, without a path.
        path: Path of the requests that a scenario does not name itself.
        method: HTTP method of those requests.
        headers: Sent with every request of an InferenceUser.
        timeout_s: Limit for connecting, for sending and for each answer.
        insecure: Do not verify TLS certificates.
        max_answer_bytes: A longer answer is a `protocol` failure.
        scenario: Locustfile.
        keeps_hosts: `base_url` comes from the `host` of the scenario's own classes; a path in that stays for Locust's
            clients, which put it before each of theirs.
        examines: Only tell what the scenario brings by itself.
        payload_file: One JSON body a line, taken by InferenceUser; None for the bundled patients.
        payload_order: `turn` or `random`.
        batch_size: Payloads joined into one JSON list; None sends them as they are.
        checks: Of `status`, `rows`, `probabilities`, `sums`, `labels`; NaN is never an answer when any but the first is
            on.
        classes: Labels that `labels` allows; empty allows any.
        open_loop: Arrivals by rate instead of users who wait.
        users: Closed loop: how many.
        spawn_rate: Closed loop: users started per second; None starts all at once.
        rate: Open loop: arrivals per second.
        arrivals: `constant` or `poisson`.
        max_in_flight: Open loop: an arrival that finds this many unanswered, over all processes, is dropped.
        shape: Replaces users or rate; its length is the duration.
        own_shape: A `LoadTestShape` of the scenario replaces the users, and its end is that of the run.
        duration_s: Length of the run; None with `requests` or a shape, or a scenario that ends by itself.
        requests: Budget: exactly so many requests are started; of Locust's own clients in the closed loop, which are
            counted when they have been answered, some more.
        drain_s: How long requests in flight are waited for after the end.
        seed: Makes arrivals and payload order repeatable.
        processes: Engine processes on this machine.
        expect_workers: Workers on other machines to wait for; with it this machine only directs.
        master_host: Address the master listens at; for a worker, where the master is.
        master_port: 0 takes a free one.
        worker: This process serves the master at `master_host`; the rest of the plan comes from there.
        connect_s: How long master and workers wait for each other.
    """

    base_url: str = ""
    path: str = "/predict"
    method: str = "POST"
    headers: Mapping[str, str] | None = None
    timeout_s: float = 10.0
    insecure: bool = False
    max_answer_bytes: int = 64 * 2**20
    scenario: str | None = None
    keeps_hosts: bool = False
    examines: bool = False
    payload_file: str | None = None
    payload_order: str = "turn"
    batch_size: int | None = None
    checks: Sequence[str] = ("status", "rows", "probabilities", "labels")
    classes: Sequence[object] = ()
    open_loop: bool = False
    users: int = 1
    spawn_rate: float | None = None
    rate: float | None = None
    arrivals: str = "constant"
    max_in_flight: int = 1000
    shape: Sequence[Segment] = ()
    own_shape: bool = False
    duration_s: float | None = None
    requests: int | None = None
    drain_s: float = 10.0
    seed: int = 0
    processes: int = 1
    expect_workers: int = 0
    master_host: str = "127.0.0.1"
    master_port: int = 0
    worker: bool = False
    connect_s: float = 60.0

    @property
    def changes_load(self) -> bool:
        """The load has a shape, whoever gave it: its figures are to move, and there is no warm-up to be found."""
        return bool(self.shape) or self.own_shape


def plan_to_json(plan: Plan) -> str:
    """Write a plan for the child's stdin."""
    return json.dumps(asdict(plan))


def plan_from_json(text: str) -> Plan:
    """Read a plan back."""
    document: dict[str, Any] = json.loads(text)
    document["shape"] = tuple(Segment(**segment) for segment in document["shape"])
    for key in ("checks", "classes"):
        document[key] = tuple(document[key])
    return Plan(**document)
