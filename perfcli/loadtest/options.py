"""What a person may ask of a load run, and which wishes exclude each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perfcli.errors import UsageError
from perfcli.loadtest.messages import ScenarioFacts
from perfcli.payloads import Payload
from perfcli.secrets import mask_url

DEFAULT_USERS = 10
DEFAULT_DURATION_S = 10.0
ARRIVALS = ("constant", "poisson")
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a person may ask of a load run; what is None was not asked for.

    Attributes:
        scenario: Locustfile.
        host: Base URL of the API; a path in it is the path of the requests. None leaves it to the scenario.
        facts: What the scenario brings by itself.
        payloads: Input of the requests, taken in turn or at random; empty when the scenario brings its own.
        payload_order: `turn` or `random`.
        batch_size: Payloads joined into one request.
        path: Path of the requests.
        http_method: Of the requests.
        headers: `Name: value`, sent with every request; the value `env:NAME` is read from the environment.
        timeout_s: Limit for connecting, for sending and for each answer.
        insecure: Do not verify TLS certificates.
        checks: What an answer must be, of those of `Plan`; `planning.DEFAULT_CHECKS` when empty.
        classes: Labels that are right; empty allows any.
        users: Closed loop: users who wait for an answer.
        spawn_rate: Closed loop: users started per second.
        rate_rps: Open loop: arrivals per second.
        arrivals: Open loop: `constant` or `poisson`; with a shape it makes the shape one of arrivals.
        max_in_flight: Open loop: an arrival that finds so many unanswered is dropped.
        shape: Course of the load in one line.
        duration_s: Length of the run.
        requests: Number of requests that ends it.
        warm_up: `auto`, `none` or a duration.
        seed: Makes arrivals and order of payloads repeatable.
        processes: Engine processes on this machine.
        expect_workers: Workers on other machines to wait for.
        master_host: Address where they find this machine.
        master_port: Port of it; 0 takes a free one.
        metrics_url: Prometheus metrics of the server, read before and after the run.
    """

    scenario: Path
    host: str | None = None
    facts: ScenarioFacts = field(default_factory=ScenarioFacts)
    payloads: Sequence[Payload] = ()
    payload_order: str = "turn"
    batch_size: int | None = None
    path: str | None = None
    http_method: str = "POST"
    headers: Sequence[str] = ()
    timeout_s: float = 10.0
    insecure: bool = False
    checks: Sequence[str] = ()
    classes: Sequence[object] = ()
    users: int | None = None
    spawn_rate: float | None = None
    rate_rps: float | None = None
    arrivals: str | None = None
    max_in_flight: int = 1000
    shape: str | None = None
    duration_s: float | None = None
    requests: int | None = None
    warm_up: str = AUTO
    seed: int = 0
    processes: int = 1
    expect_workers: int = 0
    master_host: str = "127.0.0.1"
    master_port: int = 0
    metrics_url: str | None = None

    @property
    def url(self) -> str | None:
        """URL of the API: the one asked for, or else the scenario's own; None leaves the target open, see `aim`."""
        return self.host or next(iter(self.facts.hosts), None)

    @property
    def follows_own_shape(self) -> bool:
        """The users follow the scenario's own shape; arrivals, and a shape that was asked for, replace it."""
        return self.facts.has_shape and self.rate_rps is None and self.shape is None


def check_options(options: LoadOptions) -> None:
    """Refuse what cannot be planned.

    Raises:
        UsageError: Two wishes exclude each other, or one is out of range.
    """
    _check_loop(options)
    _check_ranges(options)


def _check_loop(options: LoadOptions) -> None:
    exclusive = [("--users", options.users), ("--rate", options.rate_rps), ("--shape", options.shape)]
    given = [name for name, value in exclusive if value is not None]
    if len(given) > 1:
        hint = "--users is a closed loop, --rate an open one, --shape gives either a course."
        raise UsageError(f"{' and '.join(given)} exclude each other.", hint)
    if options.arrivals is not None and options.rate_rps is None and options.shape is None:
        raise UsageError("--arrivals says how arrivals are spaced; there are none.", "Add --rate 100.")
    if options.arrivals is not None and options.arrivals not in ARRIVALS:
        raise UsageError(f"Unknown arrivals '{options.arrivals}'.", f"Known: {', '.join(ARRIVALS)}.")
    if options.spawn_rate is not None and (options.rate_rps is not None or options.shape is not None):
        raise UsageError("--spawn-rate is for --users.", "Write a ramp as --shape 'ramp 0-200/30s, hold 2m'.")
    own = [name for name, value in (("--users", options.users), ("--spawn-rate", options.spawn_rate)) if value]
    if options.follows_own_shape and own:
        message = f"{own[0]} and the shape of {options.scenario.name} exclude each other."
        raise UsageError(message, "Leave it out; --shape and --rate would replace the shape.")
    if options.shape is not None and options.duration_s is not None:
        raise UsageError("--shape has its own length, so --duration has no meaning.", "Leave one of them out.")
    users = options.users or DEFAULT_USERS
    if options.requests is not None and options.rate_rps is None and options.expect_workers > users:
        message = (
            f"--requests is shared between {options.expect_workers} workers, but only {users} of them would have users."
        )
        raise UsageError(message, f"Write --expect-workers {users}, or --users {options.expect_workers}.")


def _check_ranges(options: LoadOptions) -> None:
    positive: Mapping[str, float | None] = {
        "--users": options.users,
        "--spawn-rate": options.spawn_rate,
        "--rate": options.rate_rps,
        "--max-in-flight": options.max_in_flight,
        "--duration": options.duration_s,
        "--requests": options.requests,
        "--timeout": options.timeout_s,
        "--batch-size": options.batch_size,
        "--processes": options.processes,
    }
    for name, value in positive.items():
        # Written so that NaN fails, too.
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} must be above 0, not {value:g}.")
    if options.path is not None and not options.path.startswith("/"):
        raise UsageError(f"--path begins with a slash, not '{options.path}'.", f"Write --path /{options.path}")
    if options.host is None and len(options.facts.hosts) > 1:
        message = (
            f"The users of {options.scenario.name} have several hosts: {', '.join(map(mask_url, options.facts.hosts))}."
        )
        raise UsageError(message, "Load one at a time: name it with --host.")
    if not options.scenario.is_file():
        raise UsageError(f"There is no scenario '{options.scenario}'.", "Name a locustfile.")
