"""The number an SLO is about, taken from the record of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from perfcli.errors import MissingExtraError, UsageError
from perfcli.records import ProfileResult
from perfcli.records.load import EndpointResult, LoadResult
from perfcli.statistics import Distribution, median, samples_needed
from perfcli.statistics.histograms import decode_histogram
from perfcli.statistics.percentiles import nearest_rank
from perfcli.verdicts.slo import Slo

Run = Literal["profile", "load"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the record says about one metric.

    Attributes:
        value: In the unit of the SLO; None when it was not measured.
        samples: What it was computed from.
        needed: How many samples it takes; None when any number will do.
        missing: Why there is no value; empty when there is one.
    """

    value: float | None
    samples: int
    needed: int | None = None
    missing: str = ""


def check_measurable(slo: Slo, run: Run) -> None:
    """Refuse, before anything is measured, an SLO that this kind of run can say nothing about.

    Raises:
        UsageError: The run does not measure this metric, not in this unit, or not by endpoint.
    """
    known = _PROFILE if run == "profile" else _LOAD
    if slo.quantile is None and slo.metric not in known:
        raise UsageError(
            f"A {run} run does not measure {slo.metric} (SLO '{slo.text}').",
            f"It measures p50 to p99.9, {', '.join(known)}.",
        )
    if slo.metric == "cpu" and (slo.unit == "s") != (run == "profile"):
        raise UsageError(
            f"The CPU of a {run} run is no {'time' if slo.unit == 's' else 'share'} (SLO '{slo.text}').",
            "Write 'cpu < 20ms' for one prediction of a profile, 'cpu < 80%' of a core for a load test.",
        )
    if slo.endpoint is not None and (run == "profile" or slo.metric in _OF_THE_RUN):
        raise UsageError(f"A {run} run measures no {slo.metric} by endpoint (SLO '{slo.text}').", "Leave it out.")


def check_loop(slos: Sequence[Slo], *, open_loop: bool) -> None:
    """Refuse, before anything is measured, SLOs about arrivals where users wait for their answers instead.

    Raises:
        UsageError: One of them is about arrivals, and the loop is a closed one.
    """
    for slo in slos:
        if slo.metric in _OF_ARRIVALS and not open_loop:
            raise UsageError(
                f"Only an open loop has arrivals that can be {slo.metric} (SLO '{slo.text}').",
                "Load with --rate, or leave the SLO out.",
            )


def measure(result: ProfileResult | LoadResult, slo: Slo) -> Measured:
    """Return what the record says about the metric of an SLO.

    Raises:
        UsageError: This kind of run does not measure the metric.
    """
    if isinstance(result, ProfileResult):
        check_measurable(slo, "profile")
        return _measure_profile(result, slo)
    check_measurable(slo, "load")
    return _measure_load(result, slo)


def measure_with_dropped(result: ProfileResult | LoadResult, slo: Slo) -> float | None:
    """Return the metric as it is when every dropped arrival has failed, and has taken longer than all others.

    What was never sent has no outcome and no latency; this is the worst they can have been. An endpoint is given all
    dropped arrivals, as nobody knows whose they were.

    Returns:
        None when nothing was dropped, or the metric is neither a latency nor a share of failures.
    """
    if not isinstance(result, LoadResult) or result.arrivals is None:
        return None
    dropped, _ = result.arrivals.dropped_of_window
    if not dropped:
        return None
    part = result.total if slo.endpoint is None else result.endpoints.get(slo.endpoint)
    if part is None or not part.requests:
        return None
    if slo.metric in ("error_rate", "success_rate"):
        failures, requests = part.failures + dropped, part.requests + dropped
        return failures / requests if slo.metric == "error_rate" else 1 - failures / requests
    if slo.metric in ("mean", "max"):
        return math.inf
    if slo.quantile is None:
        return None
    rank = nearest_rank(part.successes + dropped, slo.quantile)
    return math.inf if rank > part.successes else latencies(part).percentile(rank / part.successes)


def latencies(endpoint: EndpointResult) -> Distribution:
    """Return the latencies of the successes, of which there must be some.

    Raises:
        MissingExtraError: The package that reads the histogram is not installed.
    """
    try:
        counts = decode_histogram(endpoint.histogram)
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading the histogram of a load test", "load") from error
    # A bucket is named by its longest duration, and the last reaches beyond what was measured.
    longest_s = endpoint.latency.max_s
    if counts and longest_s is not None and (counts[-2][0] if len(counts) > 1 else 0.0) < longest_s < counts[-1][0]:
        counts[-1] = longest_s, counts[-1][1]
    return Distribution.of_counts(counts)


def _measure_profile(result: ProfileResult, slo: Slo) -> Measured:
    runs = len(result.samples_s)
    if not runs:
        return Measured(None, 0, missing="no call was measured")
    if slo.metric in _OF_THE_PROCESS and result.target.kind == "remote":
        return Measured(None, runs, missing=f"{slo.metric} was measured of the client, not of the API")
    if slo.quantile is None:
        value = _PROFILE[slo.metric](result)
        return Measured(value, runs, missing="" if value is not None else f"{slo.metric} was not measured")
    value = median(result.samples_s)
    if slo.metric != "median":
        value = Distribution.of(result.samples_s).percentile(slo.quantile)
    return Measured(value, runs, samples_needed(slo.quantile))


_OF_THE_PROCESS = ("cpu", "rss", "peak_memory")
_PROFILE: Mapping[str, Callable[[ProfileResult], float | None]] = {
    "mean": lambda result: sum(result.samples_s) / len(result.samples_s),
    "max": lambda result: max(result.samples_s),
    "cpu": lambda result: result.cpu.thread_s if result.cpu else None,
    "rss": lambda result: result.memory.rss_bytes if result.memory else None,
    "peak_memory": lambda result: result.memory.peak_bytes if result.memory else None,
}


def _measure_load(result: LoadResult, slo: Slo) -> Measured:
    part = result.total if slo.endpoint is None else result.endpoints.get(slo.endpoint)
    if part is None:
        seen = ", ".join(result.endpoints) or "none"
        return Measured(None, 0, missing=f"no request went to {slo.endpoint}; endpoints seen: {seen}")
    if slo.quantile is not None:
        return _percentile(part, slo.quantile)
    return _LOAD[slo.metric](result, part, slo)


def _percentile(part: EndpointResult, quantile: float) -> Measured:
    needed = samples_needed(quantile)
    if not part.successes:
        return Measured(None, 0, needed, "no request succeeded")
    # What the report shows is taken where it shows it, so that the table and the verdict say the same.
    latency = part.latency
    shown = {0.5: latency.p50_s, 0.9: latency.p90_s, 0.95: latency.p95_s, 0.99: latency.p99_s, 0.999: latency.p99_9_s}
    value = shown.get(quantile)
    return Measured(latencies(part).percentile(quantile) if value is None else value, part.successes, needed)


def _latency(read: Callable[[EndpointResult], float | None]) -> Callable[[LoadResult, EndpointResult, Slo], Measured]:
    def measured(_: LoadResult, part: EndpointResult, __: Slo) -> Measured:
        return Measured(read(part), part.successes, missing="" if part.successes else "no request succeeded")

    return measured


def _share(read: Callable[[EndpointResult], float | None]) -> Callable[[LoadResult, EndpointResult, Slo], Measured]:
    def measured(_: LoadResult, part: EndpointResult, __: Slo) -> Measured:
        return Measured(read(part), part.requests, missing="" if part.requests else "no request ended")

    return measured


def _goodput(_: LoadResult, part: EndpointResult, slo: Slo) -> Measured:
    if not part.requests or slo.within_s is None:
        return Measured(None, 0, missing="no request ended")
    # A bucket of the histogram that reaches over the limit is not counted: never more than was good.
    within = latencies(part).count_within(slo.within_s) if part.successes else 0
    return Measured(within / part.elapsed_s, part.requests)


def _arrivals(result: LoadResult, _: EndpointResult, slo: Slo) -> Measured:
    arrivals = result.arrivals
    if arrivals is None:
        return Measured(None, result.total.requests, missing="only an open loop (--rate) has arrivals")
    count, of = (arrivals.dropped, arrivals.scheduled) if slo.metric == "dropped" else (arrivals.late, arrivals.sent)
    if not of:
        return Measured(None, 0, missing="no request was due")
    return Measured(count / of if slo.unit == "ratio" else count, of)


def _of_server(
    read: Callable[[LoadResult], float | None],
) -> Callable[[LoadResult, EndpointResult, Slo], Measured]:
    def measured(result: LoadResult, part: EndpointResult, slo: Slo) -> Measured:
        value = read(result)
        missing = "" if value is not None else f"the {slo.metric} of the server was not measured; is it local?"
        return Measured(value, part.requests, missing=missing)

    return measured


_LOAD: Mapping[str, Callable[[LoadResult, EndpointResult, Slo], Measured]] = {
    "mean": _latency(lambda part: part.latency.mean_s),
    "max": _latency(lambda part: part.latency.max_s),
    "throughput": _share(lambda part: part.throughput_rps),
    "goodput": _goodput,
    "success_rate": _share(lambda part: None if part.error_ratio is None else part.successes / part.requests),
    "error_rate": _share(lambda part: part.error_ratio),
    "dropped": _arrivals,
    "late": _arrivals,
    "cpu": _of_server(lambda result: result.server.cpu_ratio if result.server else None),
    "rss": _of_server(lambda result: result.server.rss_bytes if result.server else None),
}
_OF_ARRIVALS = ("dropped", "late")
_OF_THE_RUN = (*_OF_ARRIVALS, "cpu", "rss")
