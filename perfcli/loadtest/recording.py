"""What the engine says, added up second by second into the result of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from perfcli.loadtest.advice import Ending, advise
from perfcli.loadtest.calibration import Calibration
from perfcli.loadtest.diagnosis import diagnose
from perfcli.loadtest.generator import highest_due_rps, judge_generator
from perfcli.loadtest.messages import Hello, Second
from perfcli.loadtest.planning import LoadPlan
from perfcli.loadtest.server_metrics import ServerAccount
from perfcli.loadtest.tally import Durations, EndpointTally, TimingTally, merged
from perfcli.loadtest.timeline import EndpointKey, Slot, Timeline
from perfcli.loadtest.watch import Sample
from perfcli.loadtest.window import choose_window
from perfcli.records.environment import Environment
from perfcli.records.load import (
    Arrivals,
    EndpointResult,
    ErrorCount,
    LoadedServer,
    LoadResult,
    LoadSecond,
    Window,
)
from perfcli.secrets import mask_url
from perfcli.statistics import weighted_mean_or_none

UNANSWERED = frozenset({"dns", "refused", "reset", "connect_timeout", "read_timeout", "tls", "incomplete"})
"""Failures without an answer of the server: it may not have counted them."""
UNREACHED = frozenset({"dns", "refused", "connect_timeout", "tls"})
"""Failures in which no request reached the server."""
CHECK_FAILED = "check_failed"
"""An answer that is no right one, for a redirect by its status, for all others by its content."""


class Recording:
    """The seconds of a run, and all that is made of them."""

    def __init__(self, plan: LoadPlan, environment: Environment, calibration: Calibration | None) -> None:
        self._plan = plan
        self._environment = environment
        self._calibration = calibration
        self._hello: Hello | None = None
        self._timeline = Timeline()
        self._seconds: list[LoadSecond] = []
        self._samples: list[Sample] = []
        self._arrived: list[tuple[int, int]] = []
        self._sent = self._late = self._dropped = self._scheduled = self._resent = 0
        self._further = self._silent = 0
        self._errors: dict[str, tuple[int, str]] = {}
        self.ending = Ending()

    @property
    def requests(self) -> int:
        """Requests that ended so far, warm-up included."""
        return sum(second.requests for second in self._seconds)

    @property
    def answered(self) -> int:
        """Those of them that the server answered."""
        return self.requests - sum(count for kind, (count, _) in self._errors.items() if kind in UNANSWERED)

    @property
    def paths(self) -> frozenset[str]:
        """The path of the plan, the names of the endpoints, and the paths of those that have another name."""
        names = (name for _, name in self._timeline.totals_from(0))
        sent = () if self.ending.end is None else self.ending.end.paths
        return frozenset({self._plan.engine.path, *names, *sent})

    def refutes_calibration(self) -> bool:
        """Tell whether this run did what the kept figures of the engine say that it cannot."""
        known, elapsed_s = self._calibration, self._timeline.elapsed_s
        if known is None or not known.kept or not elapsed_s:
            return False
        fastest_s = merged(self._timeline.totals_from(0).values()).service.shortest_s
        was_faster = fastest_s is not None and fastest_s < known.floor_s
        return was_faster or self.answered / elapsed_s > known.ceiling_rps * self._processes

    def calibrate(self, calibration: Calibration | None) -> None:
        """Take other figures of the engine."""
        self._calibration = calibration

    def begin(self, hello: Hello) -> None:
        """Note the start."""
        self._hello = hello

    def add(self, second: Second, sample: Sample) -> LoadSecond:
        """Add a second, with what this machine did in it; return its summary."""
        start_s = self._timeline.elapsed_s
        self._timeline.add(second)
        self._samples.append(sample)
        self._arrived.append((second.scheduled, second.dropped))
        self._scheduled += second.scheduled
        self._sent += second.sent
        self._late += second.late
        self._dropped += second.dropped
        self._resent += second.resent
        self._further += second.further
        self._silent += second.silent
        for endpoint in second.endpoints:
            for failures in endpoint.failures:
                count, example = self._errors.get(failures.kind, (0, self._plan.hide_secrets(failures.example)))
                self._errors[failures.kind] = (count + failures.count, example)
        summary = _summarise(second, start_s, sample, open_loop=self._plan.engine.open_loop)
        self._seconds.append(summary)
        return summary

    def result(self, told: ServerAccount | None = None) -> LoadResult:
        """Return the result as of now."""
        ending, timeline = self.ending, self._timeline
        loaded_s = ending.end.elapsed_s if ending.end is not None else timeline.elapsed_s
        steadiness = choose_window(timeline.slots, self._plan.engine, self._plan.warm_up_s, loaded_s)
        slots = timeline.slots[steadiness.first :]
        start_s = slots[0].start_s if slots else timeline.elapsed_s
        endpoints = timeline.totals_from(steadiness.first)
        total = merged(endpoints.values())
        elapsed_s = timeline.elapsed_s - start_s
        # The load fell when a worker did, whatever the figures say; and if they moved, they did.
        stable = None if steadiness.stable and ending.lost_after(start_s) else steadiness.stable
        lag = Durations()
        for slot in slots:
            lag.add(slot.lag)
        seconds = tuple(
            replace(each, measured=bool(slots) and each.start_s + each.elapsed_s / 2 >= start_s)
            for each in self._seconds
        )
        started_at_s = self._hello.started_at_s if self._hello is not None else datetime.now(UTC).timestamp()
        result = LoadResult(
            description=replace(self._plan.description, url=self._url({name for _, name in endpoints})),
            environment=self._environment,
            started_at=datetime.fromtimestamp(started_at_s, UTC).isoformat(timespec="seconds"),
            loop="open" if self._plan.engine.open_loop else "closed",
            window=Window(elapsed_s=elapsed_s, warm_up_s=start_s, stable=stable),
            total=total.result(elapsed_s),
            endpoints=_named(endpoints, elapsed_s),
            arrivals=self._arrivals(lag, seconds),
            errors=self._error_counts(),
            generator=judge_generator(
                seconds,
                total.response,
                lag,
                self._calibration,
                processes=self._processes,
                due_rps=highest_due_rps(self._plan.description, seconds),
                dropped=self._dropped,
            ),
            server=self._server(seconds, slots, told),
            diagnosis=None,
            seconds=seconds,
            warnings=(),
            partial=ending.interrupted,
        )
        result = replace(result, warnings=advise(result, ending, resent=self._resent))
        return replace(result, diagnosis=diagnose(result))

    def _url(self, names: Collection[str]) -> str:
        """Return the URL with the path only where the requests went to it, which the scenario decides."""
        engine = self._plan.engine
        if not names:
            return self._plan.description.url
        return mask_url(engine.base_url + (engine.path if engine.path in names else ""))

    @property
    def _processes(self) -> int:
        return self._hello.processes if self._hello is not None else self._plan.engine.processes

    def _arrivals(self, lag: Durations, seconds: Sequence[LoadSecond]) -> Arrivals | None:
        if not self._plan.engine.open_loop:
            return None
        measured = [arrived for arrived, second in zip(self._arrived, seconds, strict=True) if second.measured]
        return Arrivals(
            scheduled=self._scheduled,
            sent=self._sent - self._further,
            late=self._late,
            dropped=self._dropped,
            lag=lag.quantiles(),
            further=self._further,
            silent=self._silent,
            measured_scheduled=sum(scheduled for scheduled, _ in measured),
            measured_dropped=sum(dropped for _, dropped in measured),
        )

    def _error_counts(self) -> tuple[ErrorCount, ...]:
        errors = (ErrorCount(kind, count, example) for kind, (count, example) in self._errors.items())
        return tuple(sorted(errors, key=lambda error: -error.count))

    def _server(
        self, seconds: Sequence[LoadSecond], slots: Sequence[Slot], told: ServerAccount | None
    ) -> LoadedServer | None:
        measured = [sample.server for second, sample in zip(seconds, self._samples, strict=True) if second.measured]
        samples = [sample for sample in measured if sample is not None]
        timings = TimingTally()
        for slot in slots:
            timings.merge(slot.timings)
        if not samples and told is None and not timings.sums:
            return None
        return LoadedServer(
            processes=max((sample.processes for sample in samples), default=None),
            cpu_ratio=weighted_mean_or_none((sample.cpu_ratio, sample.elapsed_s) for sample in samples),
            busiest_cpu_ratio=weighted_mean_or_none((sample.busiest_cpu_ratio, sample.elapsed_s) for sample in samples),
            rss_bytes=max((sample.rss_bytes for sample in samples), default=None),
            threads=max((sample.threads for sample in samples), default=None),
            timings={**timings.means_s(), **({} if told is None else told.durations)},
            counted=None if told is None else told.counted,
        )


def _summarise(second: Second, start_s: float, sample: Sample, *, open_loop: bool) -> LoadSecond:
    total = EndpointTally()
    for endpoint in second.endpoints:
        total.add(endpoint)
    lag = Durations()
    lag.add(second.lag)
    server = sample.server
    failures = [failed for endpoint in second.endpoints for failed in endpoint.failures]
    return LoadSecond(
        start_s=start_s,
        elapsed_s=second.elapsed_s,
        measured=False,
        requests=total.requests,
        failures=total.failures,
        latency=total.response.quantiles(),
        in_flight=second.in_flight,
        mean_in_flight=second.in_flight_ns / 1e9 / second.elapsed_s,
        users=None if open_loop else second.users,
        scheduled=second.due if open_loop else None,
        lag_p99_s=lag.quantiles().p99_s if open_loop else None,
        generator_cpu_ratio=second.cpu_ratio,
        generator_rss_bytes=second.rss_bytes,
        machine_cpu_ratio=sample.machine_cpu_ratio,
        server_cpu_ratio=None if server is None else server.cpu_ratio,
        server_rss_bytes=None if server is None else server.rss_bytes,
        server_threads=None if server is None else server.threads,
        latency_counts=total.response.by_class(),
        failure_kinds={
            kind: sum(failed.count for failed in failures if failed.kind == kind)
            for kind in dict.fromkeys(failed.kind for failed in failures)
        },
    )


def _named(endpoints: Mapping[EndpointKey, EndpointTally], elapsed_s: float) -> dict[str, EndpointResult]:
    """Name endpoints as the scenario does; the method comes first where two would share a name."""
    names = [name for _, name in endpoints]
    return {
        name if names.count(name) == 1 else f"{method} {name}": tally.result(elapsed_s)
        for (method, name), tally in endpoints.items()
    }
