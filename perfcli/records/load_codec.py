"""A load run to a JSON object and back: `perfcli/load/1`. Keys ending in `_ms` are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from perfcli.records.environment import Environment
from perfcli.records.json_values import known_fields, ms_or_none, s_or_none
from perfcli.records.latency_counts import LatencyCounts
from perfcli.records.load import (
    Arrivals,
    CountCheck,
    EndpointResult,
    ErrorCount,
    GeneratorReport,
    LoadDescription,
    LoadedServer,
    LoadResult,
    LoadSecond,
    Quantiles,
    Window,
)
from perfcli.records.profile import Advice
from perfcli.records.verdict import SloVerdict
from perfcli.units import from_milliseconds, to_milliseconds


def encode_load(result: LoadResult) -> dict[str, object]:
    """Return the JSON object of a load run, without its schema."""
    return {
        "loop": result.loop,
        "load": asdict(result.description),
        "environment": asdict(result.environment),
        "started_at": result.started_at,
        "window": asdict(result.window),
        "total": _encode_endpoint(result.total),
        "endpoints": {name: _encode_endpoint(endpoint) for name, endpoint in result.endpoints.items()},
        "arrivals": None if result.arrivals is None else _encode_arrivals(result.arrivals),
        "errors": [asdict(error) for error in result.errors],
        "generator": _encode_generator(result.generator),
        "server": None if result.server is None else _encode_server(result.server),
        "diagnosis": result.diagnosis,
        "seconds": [encode_second(second) for second in result.seconds],
        "warnings": [asdict(warning) for warning in result.warnings],
        "partial": result.partial,
        "verdicts": [asdict(verdict) for verdict in result.verdicts],
    }


def decode_load(document: Mapping[str, Any]) -> LoadResult:
    """Return the load run that `encode_load` made this object of."""
    window = Window(**known_fields(Window, document["window"]))
    arrivals, server = document["arrivals"], document["server"]
    return LoadResult(
        description=LoadDescription(**known_fields(LoadDescription, document["load"])),
        environment=Environment(**known_fields(Environment, document["environment"])),
        started_at=document["started_at"],
        loop=document["loop"],
        window=window,
        total=_decode_endpoint(document["total"], window.elapsed_s),
        endpoints={name: _decode_endpoint(item, window.elapsed_s) for name, item in document["endpoints"].items()},
        arrivals=None if arrivals is None else _decode_arrivals(arrivals),
        errors=tuple(ErrorCount(**known_fields(ErrorCount, error)) for error in document["errors"]),
        generator=_decode_generator(document["generator"]),
        server=None if server is None else _decode_server(server),
        diagnosis=document["diagnosis"],
        seconds=tuple(decode_second(second) for second in document["seconds"]),
        warnings=tuple(Advice(**known_fields(Advice, warning)) for warning in document["warnings"]),
        partial=document["partial"],
        verdicts=tuple(SloVerdict(**known_fields(SloVerdict, verdict)) for verdict in document.get("verdicts", ())),
    )


def _encode_endpoint(endpoint: EndpointResult) -> dict[str, object]:
    return {
        "requests": endpoint.requests,
        "failures": endpoint.failures,
        "throughput_rps": endpoint.throughput_rps,
        "success_rps": endpoint.success_rps,
        "error_ratio": endpoint.error_ratio,
        "latency_ms": _encode_quantiles(endpoint.latency),
        "service_ms": _encode_quantiles(endpoint.service),
        "failure_latency_ms": _encode_quantiles(endpoint.failure_latency),
        "histogram": endpoint.histogram,
        "mean_time_ms": ms_or_none(endpoint.mean_time_s),
    }


def _decode_endpoint(document: Mapping[str, Any], elapsed_s: float) -> EndpointResult:
    return EndpointResult(
        requests=document["requests"],
        failures=document["failures"],
        elapsed_s=elapsed_s,
        latency=_decode_quantiles(document["latency_ms"]),
        service=_decode_quantiles(document["service_ms"]),
        failure_latency=_decode_quantiles(document["failure_latency_ms"]),
        histogram=document["histogram"],
        mean_time_s=s_or_none(document.get("mean_time_ms")),
    )


def _encode_arrivals(arrivals: Arrivals) -> dict[str, object]:
    return {
        "scheduled": arrivals.scheduled,
        "sent": arrivals.sent,
        "late": arrivals.late,
        "dropped": arrivals.dropped,
        "lag_ms": _encode_quantiles(arrivals.lag),
        "further": arrivals.further,
        "silent": arrivals.silent,
        "measured_scheduled": arrivals.measured_scheduled,
        "measured_dropped": arrivals.measured_dropped,
    }


def _decode_arrivals(document: Mapping[str, Any]) -> Arrivals:
    return Arrivals(
        scheduled=document["scheduled"],
        sent=document["sent"],
        late=document["late"],
        dropped=document["dropped"],
        lag=_decode_quantiles(document["lag_ms"]),
        further=document.get("further", 0),
        silent=document.get("silent", 0),
        measured_scheduled=document.get("measured_scheduled"),
        measured_dropped=document.get("measured_dropped"),
    )


def _encode_generator(generator: GeneratorReport) -> dict[str, object]:
    return {
        "verdict": generator.verdict,
        "reasons": list(generator.reasons),
        "cpu_ratio": generator.cpu_ratio,
        "floor_ms": ms_or_none(generator.floor_s),
        "ceiling_rps": generator.ceiling_rps,
        "processes": generator.processes,
    }


def _decode_generator(document: Mapping[str, Any]) -> GeneratorReport:
    return GeneratorReport(
        verdict=document["verdict"],
        reasons=tuple(document["reasons"]),
        cpu_ratio=document["cpu_ratio"],
        floor_s=s_or_none(document["floor_ms"]),
        ceiling_rps=document["ceiling_rps"],
        processes=document["processes"],
    )


def _encode_server(server: LoadedServer) -> dict[str, object]:
    return {
        "processes": server.processes,
        "cpu_ratio": server.cpu_ratio,
        "busiest_cpu_ratio": server.busiest_cpu_ratio,
        "rss_bytes": server.rss_bytes,
        "threads": server.threads,
        "timings_ms": {name: to_milliseconds(duration) for name, duration in server.timings.items()},
        "counted": None if server.counted is None else asdict(server.counted),
    }


def _decode_server(document: Mapping[str, Any]) -> LoadedServer:
    counted = document["counted"]
    return LoadedServer(
        processes=document["processes"],
        cpu_ratio=document["cpu_ratio"],
        busiest_cpu_ratio=document["busiest_cpu_ratio"],
        rss_bytes=document["rss_bytes"],
        threads=document["threads"],
        timings={name: from_milliseconds(value) for name, value in document["timings_ms"].items()},
        counted=None if counted is None else CountCheck(**known_fields(CountCheck, counted)),
    )


def encode_second(second: LoadSecond) -> dict[str, object]:
    """Return the JSON object of a second."""
    return {
        "start_s": second.start_s,
        "elapsed_s": second.elapsed_s,
        "measured": second.measured,
        "requests": second.requests,
        "failures": second.failures,
        "latency_ms": _encode_quantiles(second.latency),
        "in_flight": second.in_flight,
        "users": second.users,
        "scheduled": second.scheduled,
        "lag_p99_ms": ms_or_none(second.lag_p99_s),
        "generator_cpu_ratio": second.generator_cpu_ratio,
        "generator_rss_bytes": second.generator_rss_bytes,
        "machine_cpu_ratio": second.machine_cpu_ratio,
        "server_cpu_ratio": second.server_cpu_ratio,
        "server_rss_bytes": second.server_rss_bytes,
        "server_threads": second.server_threads,
        "latency_counts": None if second.latency_counts is None else asdict(second.latency_counts),
        "failure_kinds": dict(second.failure_kinds),
        "mean_in_flight": second.mean_in_flight,
    }


def decode_second(document: Mapping[str, Any]) -> LoadSecond:
    """Return the second that `encode_second` made this object of."""
    counts = document.get("latency_counts")
    return LoadSecond(
        start_s=document["start_s"],
        elapsed_s=document["elapsed_s"],
        measured=document["measured"],
        requests=document["requests"],
        failures=document["failures"],
        latency=_decode_quantiles(document["latency_ms"]),
        in_flight=document["in_flight"],
        users=document["users"],
        scheduled=document["scheduled"],
        lag_p99_s=s_or_none(document["lag_p99_ms"]),
        generator_cpu_ratio=document["generator_cpu_ratio"],
        generator_rss_bytes=document["generator_rss_bytes"],
        machine_cpu_ratio=document["machine_cpu_ratio"],
        server_cpu_ratio=document["server_cpu_ratio"],
        server_rss_bytes=document["server_rss_bytes"],
        server_threads=document["server_threads"],
        latency_counts=None
        if counts is None
        else LatencyCounts(int(counts["from_ns"]), tuple(map(int, counts["counts"]))),
        failure_kinds=document.get("failure_kinds", {}),
        mean_in_flight=document.get("mean_in_flight"),
    )


def _encode_quantiles(quantiles: Quantiles) -> dict[str, float | None]:
    return {name.removesuffix("_s"): ms_or_none(value) for name, value in asdict(quantiles).items()}


def _decode_quantiles(document: Mapping[str, Any]) -> Quantiles:
    return Quantiles(*(s_or_none(document[field.name.removesuffix("_s")]) for field in fields(Quantiles)))
