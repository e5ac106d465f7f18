"""What a person asked for, checked and made into a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from perfcli.bundled import bundled_path
from perfcli.errors import UsageError
from perfcli.loadtest.options import ARRIVALS, AUTO, DEFAULT_DURATION_S, DEFAULT_USERS, LoadOptions, check_options
from perfcli.loadtest.plan import Plan
from perfcli.loadtest.shape import parse_shape
from perfcli.loadtest.urls import carry_in_query, split_url
from perfcli.payloads import Payload, payload_digest, row_count
from perfcli.records.load import LoadDescription
from perfcli.secrets import mask_url
from perfcli.targets.request_headers import parse_headers
from perfcli.units import format_count, format_duration, parse_duration

DEFAULT_PATH = "/predict"
DEFAULT_SCENARIO = "loadtests/predict.py"
DEFAULT_CHECKS = ("status", "rows", "probabilities", "labels")
"""All but `sums`: where a row may have several labels, its probabilities need not sum to 1."""
NONE = "none"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """A load run that is ready to start.

    Attributes:
        engine: What the engine is asked to do; its payload file is written when the run starts.
        description: The same for the record, secrets masked.
        payloads: Input of the requests; empty when the scenario brings its own.
        warm_up_s: Excluded from the statistics; None finds the end of warm-up by measurement.
        metrics_url: Prometheus metrics of the server.
        metrics_token: Shown to the server when it asks for one before it shows them.
        hide_secrets: Masks the values of secret headers where the server repeats them.
    """

    engine: Plan
    description: LoadDescription
    payloads: tuple[Payload, ...] = ()
    warm_up_s: float | None = None
    metrics_url: str | None = None
    metrics_token: str | None = field(default=None, repr=False)
    hide_secrets: Callable[[str], str] = str

    @property
    def finds_warm_up(self) -> bool:
        """The end of the warm-up is found by measurement; a run with a shape has none."""
        return self.warm_up_s is None and not self.engine.changes_load


def plan_load(options: LoadOptions) -> LoadPlan:
    """Check what was asked for and return the plan.

    Raises:
        UsageError: Two wishes exclude each other, or one is out of range or unreadable.
        PayloadError: A payload does not fit into the query of a GET request.
    """
    check_options(options)
    headers = parse_headers(options.headers)
    engine = replace(_engine_plan(options), headers=headers.values)
    if engine.method == "GET":
        for payload in options.payloads:
            carry_in_query(engine.path, [payload] if engine.batch_size else payload)
    return LoadPlan(
        engine=engine,
        description=_describe(options, engine),
        payloads=tuple(options.payloads),
        warm_up_s=_warm_up(options.warm_up, _length_s(engine)),
        metrics_url=options.metrics_url,
        hide_secrets=headers.hide_secrets,
    )


def aim(plan: LoadPlan, base_url: str, *, metrics_url: str | None = None) -> LoadPlan:
    """Return a plan with another target.

    Args:
        plan: The plan.
        base_url: Where to send the requests.
        metrics_url: Prometheus metrics of that target; None keeps those of the plan.
    """
    return replace(
        plan,
        engine=replace(plan.engine, base_url=base_url),
        description=replace(
            plan.description,
            url=mask_url(base_url + (plan.engine.path if urlsplit(plan.description.url).path else "")),
        ),
        metrics_url=metrics_url or plan.metrics_url,
    )


def describe_bound(plan: LoadPlan) -> str:
    """Say how much a plan may send at most, for the person who has to agree to it."""
    engine, asked = plan.engine, plan.description
    if engine.requests is not None:
        return format_count(engine.requests, "request")
    length_s = _length_s(engine) or 0.0
    if engine.own_shape:
        until = "until it ends" if engine.duration_s is None else f"for up to {format_duration(engine.duration_s)}"
        return f"as many users as the shape {asked.shape} says, each as fast as it is answered, {until}"
    if not engine.open_loop:
        most = max((max(part.start, part.end) for part in engine.shape), default=float(engine.users))
        users = format_count(round(most), "user")
        return f"{users}, each as fast as it is answered, for {format_duration(length_s)}"
    if engine.shape:
        arrivals = sum((part.start + part.end) / 2 * part.duration_s for part in engine.shape)
    else:
        arrivals = (asked.rate_rps or 0.0) * length_s
    return f"about {format_count(round(arrivals), 'request')} in {format_duration(length_s)}"


def _engine_plan(options: LoadOptions) -> Plan:
    base_url, path = ("", "/") if options.url is None else split_url(options.url)
    segments = parse_shape(options.shape) if options.shape is not None else ()
    duration_s = options.duration_s
    if duration_s is None and options.requests is None and not segments and not options.follows_own_shape:
        duration_s = DEFAULT_DURATION_S
    return Plan(
        base_url=base_url,
        path=options.path or (path if path != "/" else DEFAULT_PATH),
        method=options.http_method.upper(),
        timeout_s=options.timeout_s,
        insecure=options.insecure,
        scenario=str(options.scenario.resolve()),
        keeps_hosts=options.host is None and bool(options.facts.hosts),
        payload_order=options.payload_order,
        checks=options.checks or DEFAULT_CHECKS,
        classes=options.classes,
        batch_size=options.batch_size,
        open_loop=options.rate_rps is not None or (options.shape is not None and options.arrivals is not None),
        users=options.users or DEFAULT_USERS,
        spawn_rate=options.spawn_rate,
        rate=options.rate_rps,
        arrivals=options.arrivals or ARRIVALS[0],
        max_in_flight=options.max_in_flight,
        shape=segments,
        own_shape=options.follows_own_shape,
        duration_s=duration_s,
        requests=options.requests,
        drain_s=options.timeout_s,
        seed=options.seed,
        processes=_processes(options),
        expect_workers=options.expect_workers,
        master_host=options.master_host,
        master_port=options.master_port,
    )


def _processes(options: LoadOptions) -> int:
    """Return the number of engine processes: with a budget, of which each spends a share, none may be without users."""
    are_fixed = options.rate_rps is None and options.shape is None and not options.follows_own_shape
    if options.requests is None or not are_fixed:
        return options.processes
    return min(options.processes, options.users or DEFAULT_USERS)


def _length_s(engine: Plan) -> float | None:
    """Return how long a run is at most; None when time does not end it."""
    return sum(segment.duration_s for segment in engine.shape) or engine.duration_s


def _warm_up(text: str, length_s: float | None) -> float | None:
    if text == AUTO:
        return None
    if text == NONE:
        return 0.0
    try:
        warm_up_s = parse_duration(text)
    except UsageError:
        raise UsageError(f"'{text}' is no warm-up.", f"Write {AUTO}, {NONE} or a duration such as 5s.") from None
    if length_s is not None and warm_up_s >= length_s:
        message = f"--warm-up {text} leaves nothing to measure of a run of {format_duration(length_s)}."
        raise UsageError(message, "Make the run longer, or the warm-up shorter.")
    return warm_up_s


def _names_path(options: LoadOptions) -> bool:
    """Tell whether the path of the requests is known before the run: a scenario may ask for whatever it likes."""
    named = options.path is not None or (options.url is not None and split_url(options.url)[1] != "/")
    return named or options.scenario.resolve() == bundled_path(DEFAULT_SCENARIO).resolve()


def _describe(options: LoadOptions, engine: Plan) -> LoadDescription:
    rows = row_count(options.payloads[0]) if options.payloads else 0
    return LoadDescription(
        url=mask_url(engine.base_url + (engine.path if _names_path(options) else "")),
        scenario=options.scenario.name,
        payloads=len(options.payloads),
        rows=rows * (engine.batch_size or 1),
        payload_digest=payload_digest(options.payloads) if options.payloads else None,
        users=None if engine.open_loop or engine.changes_load else engine.users,
        rate_rps=options.rate_rps,
        arrivals=engine.arrivals if engine.open_loop else None,
        shape=f"of {options.scenario.name}" if engine.own_shape else options.shape,
        duration_s=engine.duration_s,
        requests=engine.requests,
        seed=engine.seed,
    )
