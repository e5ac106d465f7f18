"""What a server counts itself: Prometheus metrics read before and after a run, and the difference between the two."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from perfcli.records.load import CountCheck
from perfcli.records.profile import Advice

REQUEST_COUNTERS = (
    "perfcli_http_requests_total",
    "rest_server_requests_total",
    "http_requests_total",
    "http_server_requests_total",
    "http_request_duration_seconds_count",
    "http_server_request_duration_seconds_count",
    "nv_inference_request_success",
)
"""Counters of answered requests, the first that is offered counts: ours, MLServer's, the usual ones, Triton's."""
DURATIONS = (
    "perfcli_http_request_duration_seconds",
    "rest_server_request_duration_seconds",
    "http_request_duration_seconds",
    "http_server_request_duration_seconds",
    "model_infer_request_duration",
)
"""Histograms or summaries of seconds, by the same servers; all that are offered count."""
NO_ROUTE = "none"
"""What perfcli's own API has for the path of a request that none of its routes takes, such as a misspelt one."""
PATH_LABELS = ("path", "route", "handler", "endpoint", "uri", "http_route")

_PARAMETER = re.compile(r"\{[^/]*\}|<[^/]*>|:[^/]+")
_LABELS = r'[^"}]*(?:"(?:[^"\\]|\\.)*"[^"}]*)*'
# The labels end at the first brace outside of quotes: an exemplar behind the value has some of its own.
_SAMPLE = re.compile(rf"^([a-zA-Z_:][\w:]*)(?:\{{({_LABELS})\}})?\s+(\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_COUNTERS = (*REQUEST_COUNTERS, *(f"{name}_{part}" for name in DURATIONS for part in ("count", "sum")))
_ANSWER_TIMEOUT_S = 5.0
_REFUSALS = (401, 403)


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One line of an exposition.

    Attributes:
        name: Name of the metric.
        labels: Value by name.
        value: As exposed.
    """

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """What a server says of a run.

    Attributes:
        counted: Growth of its request counter beside the client's count; None when it has no counter we know, or one
            that fell.
        durations: Mean duration in seconds by metric, of the requests of the run.
        restarted: A counter fell during the run: the server, or one of its workers, began to count anew.
    """

    counted: CountCheck | None
    durations: Mapping[str, float]
    restarted: bool = False

    @property
    def warnings(self) -> tuple[Advice, ...]:
        """What the reader should know of it."""
        if not self.restarted:
            return ()
        message = (
            "The server's own counters fell during the run: it was started again, or another of its processes answered."
        )
        return (Advice("counter_restarted", message, "Its count of the requests and its mean durations are left out."),)


class MetricsRefusedError(Exception):
    """The server asks for a token that we have not."""


def read_metrics(url: str, token: str | None = None) -> tuple[MetricSample, ...] | None:
    """Fetch the metrics of a server; None when it does not offer them.

    Args:
        url: Where they are.
        token: Shown to a server that asks for one.

    Raises:
        MetricsRefusedError: It asks for one, and not for this.
    """
    import httpx

    try:
        answer = httpx.get(url, timeout=_ANSWER_TIMEOUT_S)
        if answer.status_code in _REFUSALS and token is not None:
            headers = {b"Authorization": f"Bearer {token}".encode()}
            answer = httpx.get(url, timeout=_ANSWER_TIMEOUT_S, headers=headers)
        if answer.status_code in _REFUSALS:
            raise MetricsRefusedError
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return parse_metrics(answer.text)


def parse_metrics(text: str) -> tuple[MetricSample, ...]:
    """Read the text format of Prometheus; what is no sample, or is no finite number, is skipped."""
    samples = []
    for match in filter(None, map(_SAMPLE.match, text.splitlines())):
        value = _number(match[3])
        if math.isfinite(value):
            samples.append(MetricSample(match[1], dict(_LABEL.findall(match[2] or "")), value))
    return tuple(samples)


def account(
    before: Collection[MetricSample], after: Collection[MetricSample], paths: Collection[str], client_requests: int
) -> ServerAccount:
    """Compare two readings of a server's metrics.

    Args:
        before: Metrics at the start of the run.
        after: Metrics at its end.
        paths: Paths of the run; counters of other paths are left out, so that a health probe is not counted.
        client_requests: Answers the client received.
    """
    if any(_has_fallen(before, after, name, paths) for name in _COUNTERS):
        return ServerAccount(None, {}, restarted=True)
    return ServerAccount(
        counted=_check_count(before, after, paths, client_requests), durations=_mean_durations(before, after, paths)
    )


def _check_count(
    before: Collection[MetricSample], after: Collection[MetricSample], paths: Collection[str], client_requests: int
) -> CountCheck | None:
    for name in REQUEST_COUNTERS:
        total = _total(after, name, paths)
        if total is not None:
            grown = round(total - (_total(before, name, paths) or 0.0))
            return CountCheck(
                name, grown - _own_readings(before, after, name, grown - client_requests), client_requests
            )
    return None


def _own_readings(before: Collection[MetricSample], after: Collection[MetricSample], name: str, surplus: int) -> int:
    """Return how many of the requests counted were our own readings of the metrics.

    One lies between the two counts, whether an answer is counted before or after it is sent; none where the readings
    are not counted at all, and where the counter tells paths apart.
    """
    apart = any(label in sample.labels for sample in (*before, *after) if sample.name == name for label in PATH_LABELS)
    return 1 if surplus == 1 and not apart else 0


def _has_fallen(
    before: Collection[MetricSample], after: Collection[MetricSample], name: str, paths: Collection[str]
) -> bool:
    begun, ended = _total(before, name, paths), _total(after, name, paths)
    return begun is not None and (ended or 0.0) < begun


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _mean_durations(
    before: Collection[MetricSample], after: Collection[MetricSample], paths: Collection[str]
) -> dict[str, float]:
    means = {}
    for name in DURATIONS:
        count, total_s = (
            (_total(after, f"{name}_{part}", paths) or 0.0) - (_total(before, f"{name}_{part}", paths) or 0.0)
            for part in ("count", "sum")
        )
        if count > 0:
            means[name] = total_s / count
    return means


def _total(samples: Collection[MetricSample], name: str, paths: Collection[str]) -> float | None:
    values = [sample.value for sample in samples if sample.name == name and _is_ours(sample, paths)]
    return sum(values) if values else None


def _is_ours(sample: MetricSample, paths: Collection[str]) -> bool:
    labels = [sample.labels[label] for label in PATH_LABELS if label in sample.labels]
    return not labels or any(label == NO_ROUTE or _names(label, path) for label in labels for path in paths)


def _names(label: str, path: str) -> bool:
    """Tell whether a label names a path: the path itself, or its template such as `/models/{name}/infer`."""
    fixed = [re.escape(part) for part in _PARAMETER.split(label)]
    return re.fullmatch("[^/]+".join(fixed), path.partition("?")[0]) is not None
