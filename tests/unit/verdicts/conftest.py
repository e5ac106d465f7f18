"""Records of runs as a test needs them: every field has a plain value, and what matters is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from perfcli.records import Environment, ProfileResult, TargetDescription
from perfcli.records.load import (
    EndpointResult,
    GeneratorReport,
    LoadDescription,
    LoadResult,
    LoadSecond,
    Quantiles,
    Window,
)
from perfcli.statistics import percentile, percentile_or_none

HERE = Environment("1.0", "3.11.7", "Linux-6.1-x86_64", "Test CPU", 2, 8 * 2**30, 0.5, {"scikit-learn": "1.7.2"})
NOTHING = Quantiles(None, None, None, None, None, None, None)


def quantiles(samples: Sequence[float]) -> Quantiles:
    if not samples:
        return NOTHING
    return Quantiles(
        percentile_or_none(samples, 0.5),
        percentile_or_none(samples, 0.9),
        percentile_or_none(samples, 0.95),
        percentile_or_none(samples, 0.99),
        percentile_or_none(samples, 0.999),
        percentile(samples, 1),
        sum(samples) / len(samples),
    )


def endpoint(samples: Sequence[float], failures: int = 0, elapsed_s: float = 10.0) -> EndpointResult:
    histogram = HdrHistogram(1, 3_600_000_000_000, 3)
    for sample in samples:
        histogram.record_value(round(sample * 1e9))
    found = quantiles(samples)
    return EndpointResult(
        len(samples) + failures, failures, elapsed_s, found, found, NOTHING, histogram.encode().decode()
    )


def second(start_s: float, samples: Sequence[float], **fields: Any) -> LoadSecond:
    plain: dict[str, Any] = {
        "start_s": start_s,
        "elapsed_s": 1.0,
        "measured": True,
        "requests": len(samples) + fields.get("failures", 0),
        "failures": 0,
        "latency": quantiles(samples),
        "in_flight": 1,
        "users": 1,
        "scheduled": len(samples),
        "lag_p99_s": 0.0,
        "generator_cpu_ratio": 0.2,
        "generator_rss_bytes": 50 * 2**20,
        "machine_cpu_ratio": 0.3,
        "server_cpu_ratio": None,
        "server_rss_bytes": None,
        "server_threads": None,
    }
    return LoadSecond(**{**plain, **fields})


@pytest.fixture
def make_profile() -> Callable[..., ProfileResult]:
    def make(samples: Sequence[float], **fields: Any) -> ProfileResult:
        plain: dict[str, Any] = {
            "target": TargetDescription("embedded", "perfcli.patient_model:patient_model", "predict", 1, 1, "abc"),
            "environment": HERE,
            "started_at": "2026-01-02T03:04:05.678+00:00",
            "measured_s": sum(samples),
            "samples_s": tuple(samples),
        }
        return ProfileResult(**{**plain, **fields})

    return make


@pytest.fixture
def make_second() -> Callable[..., LoadSecond]:
    return second


@pytest.fixture
def make_load() -> Callable[..., LoadResult]:
    def make(
        samples: Sequence[float] = (),
        failures: int = 0,
        endpoints: dict[str, Sequence[float]] | None = None,
        **fields: Any,
    ) -> LoadResult:
        total = endpoint(samples, failures)
        plain: dict[str, Any] = {
            "description": LoadDescription(
                "http://127.0.0.1:8000", "inference", 1, 1, "abc", 1, None, None, None, 10.0, None, 0
            ),
            "environment": HERE,
            "started_at": "2026-01-02T03:04:05.678+00:00",
            "loop": "closed",
            "window": Window(10.0, 0.0, True),
            "total": total,
            "endpoints": {name: endpoint(values) for name, values in (endpoints or {"/predict": samples}).items()},
            "arrivals": None,
            "errors": (),
            "generator": GeneratorReport("trustworthy", (), 0.2, None, None, 1),
            "server": None,
            "diagnosis": None,
            "seconds": (),
            "warnings": (),
            "partial": False,
        }
        return LoadResult(**{**plain, **fields})

    return make
