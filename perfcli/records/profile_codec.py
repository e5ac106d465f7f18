"""A profile to a JSON object and back: `perfcli/profile/1`. Keys ending in `_ms` are milliseconds, in `_mb` MiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from perfcli.records.call_tree_codec import decode_call_tree, encode_call_tree
from perfcli.records.environment import Environment
from perfcli.records.json_values import known_fields, ms_or_none, s_or_none
from perfcli.records.metrics import PerformanceMetrics, TopFunction
from perfcli.records.profile import (
    Advice,
    CpuTime,
    FunctionTime,
    LatencySummary,
    MemoryUse,
    Overhead,
    Phase,
    ProfileResult,
    ServerView,
    Stage,
    TargetDescription,
)
from perfcli.records.verdict import SloVerdict
from perfcli.units import from_mebibytes, from_milliseconds, to_mebibytes


def encode_profile(result: ProfileResult) -> dict[str, object]:
    """Return the JSON object of a profile, without its schema."""
    metrics = result.performance_metrics()
    return {
        "target": asdict(result.target),
        "environment": asdict(result.environment),
        "started_at": result.started_at,
        "measured_s": round(result.measured_s, 6),
        "latency_ms": _encode_durations(result.latency),
        "cold_start_ms": ms_or_none(result.cold_start_s),
        "load_ms": ms_or_none(result.load_s),
        "cpu_time_ms": _encode_durations(result.cpu),
        "memory_mb": _in_mb(result.memory),
        "overhead": _encode_overhead(result.overhead),
        "stages": [
            {
                "name": stage.name,
                "median_ms": ms_or_none(stage.median_s),
                "share": round(stage.share, 6),
                "calls": stage.calls,
            }
            for stage in result.stages
        ],
        "phases": [
            {"name": phase.name, "cold_ms": ms_or_none(phase.cold_s), "median_ms": ms_or_none(phase.median_s)}
            for phase in result.phases
        ],
        "functions": [_encode_function(function) for function in result.functions],
        "function_calls": result.function_calls,
        "performance_metrics": None if metrics is None else encode_metrics(metrics),
        "samples_ms": [ms_or_none(sample) for sample in result.samples_s],
        "server": None if result.server is None else _encode_server(result.server),
        "warnings": [asdict(warning) for warning in result.warnings],
        "partial": result.partial,
        "verdicts": [asdict(verdict) for verdict in result.verdicts],
        "call_tree": None if result.call_tree is None else encode_call_tree(result.call_tree),
    }


def decode_profile(document: Mapping[str, Any]) -> ProfileResult:
    """Return the profile that `encode_profile` made this object of."""
    latency, cpu, memory, server = (document[key] for key in ("latency_ms", "cpu_time_ms", "memory_mb", "server"))
    tree = document.get("call_tree")  # Records of the first versions have none.
    return ProfileResult(
        target=TargetDescription(**known_fields(TargetDescription, document["target"])),
        environment=Environment(**known_fields(Environment, document["environment"])),
        started_at=document["started_at"],
        measured_s=document["measured_s"],
        latency=None if latency is None else LatencySummary(**_decode_durations(LatencySummary, latency)),
        cold_start_s=s_or_none(document["cold_start_ms"]),
        load_s=s_or_none(document["load_ms"]),
        cpu=None if cpu is None else CpuTime(**_decode_durations(CpuTime, cpu)),
        memory=None if memory is None else _decode_memory(memory),
        overhead=_decode_overhead(document["overhead"]),
        stages=tuple(
            Stage(stage["name"], from_milliseconds(stage["median_ms"]), stage["share"], stage["calls"])
            for stage in document["stages"]
        ),
        phases=tuple(
            Phase(phase["name"], s_or_none(phase["cold_ms"]), s_or_none(phase["median_ms"]))
            for phase in document["phases"]
        ),
        functions=tuple(_decode_function(function) for function in document["functions"]),
        function_calls=document["function_calls"],
        samples_s=tuple(from_milliseconds(sample) for sample in document["samples_ms"]),
        server=None if server is None else _decode_server(server),
        warnings=tuple(Advice(**known_fields(Advice, warning)) for warning in document["warnings"]),
        partial=document["partial"],
        verdicts=tuple(SloVerdict(**known_fields(SloVerdict, verdict)) for verdict in document.get("verdicts", ())),
        call_tree=None if tree is None else decode_call_tree(tree),
    )


def encode_metrics(metrics: PerformanceMetrics) -> dict[str, object]:
    """Return the `performance_metrics` object of the logs: the original system's seven keys."""
    functions = metrics.top_functions
    return {
        "inference_time_ms": ms_or_none(metrics.inference_time_s),
        "cpu_time_ms": ms_or_none(metrics.cpu_time_s),
        "memory_mb": to_mebibytes(metrics.memory_bytes),
        "memory_delta_mb": None if metrics.memory_delta_bytes is None else to_mebibytes(metrics.memory_delta_bytes),
        "function_calls": metrics.function_calls,
        "latency_ms": ms_or_none(metrics.latency_s),
        "top_functions": None
        if functions is None
        else [
            {
                "function": function.function,
                "file": function.file,
                "line": function.line,
                "cumulative_time_ms": ms_or_none(function.cumulative_time_s),
                "total_time_ms": ms_or_none(function.total_time_s),
                "calls": function.calls,
            }
            for function in functions
        ],
    }


def decode_metrics(document: Mapping[str, Any]) -> PerformanceMetrics:
    """Return the metrics that `encode_metrics` made this object of; other keys beside the seven are ignored."""
    functions = document["top_functions"]
    return PerformanceMetrics(
        inference_time_s=from_milliseconds(document["inference_time_ms"]),
        cpu_time_s=from_milliseconds(document["cpu_time_ms"]),
        memory_bytes=from_mebibytes(document["memory_mb"]),
        memory_delta_bytes=None if document["memory_delta_mb"] is None else from_mebibytes(document["memory_delta_mb"]),
        function_calls=document["function_calls"],
        latency_s=from_milliseconds(document["latency_ms"]),
        top_functions=None
        if functions is None
        else tuple(
            TopFunction(
                function=function["function"],
                file=function["file"],
                line=function["line"],
                cumulative_time_s=from_milliseconds(function["cumulative_time_ms"]),
                total_time_s=from_milliseconds(function["total_time_ms"]),
                calls=function["calls"],
            )
            for function in functions
        ),
    )


def _encode_overhead(overhead: Overhead) -> dict[str, object]:
    return {
        "ratio": None if overhead.ratio is None else round(overhead.ratio, 4),
        "ns_per_call": _ns(overhead.seconds_per_call),
        "ns_per_call_ci_low": _ns(overhead.ci_low),
        "ns_per_call_ci_high": _ns(overhead.ci_high),
        "corrected": overhead.corrected,
        "profiled_runs": overhead.profiled_runs,
    }


def _decode_overhead(document: Mapping[str, Any]) -> Overhead:
    return Overhead(
        ratio=document["ratio"],
        seconds_per_call=_from_ns(document["ns_per_call"]),
        ci_low=_from_ns(document["ns_per_call_ci_low"]),
        ci_high=_from_ns(document["ns_per_call_ci_high"]),
        corrected=document["corrected"],
        profiled_runs=document["profiled_runs"],
    )


_FUNCTION_TIMES = ("self", "cumulative", "profiled_self", "profiled_cumulative")


def _encode_function(function: FunctionTime) -> dict[str, object]:
    return {
        "function": function.function,
        "file": function.file,
        "line": function.line,
        "calls": round(function.calls, 4),
        **{f"{name}_ms": ms_or_none(getattr(function, f"{name}_s")) for name in _FUNCTION_TIMES},
        "share": round(function.share, 6),
        "called_by": function.called_by,
        "records": function.records,
    }


def _decode_function(document: Mapping[str, Any]) -> FunctionTime:
    return FunctionTime(
        function=document["function"],
        file=document["file"],
        line=document["line"],
        calls=document["calls"],
        **{f"{name}_s": from_milliseconds(document[f"{name}_ms"]) for name in _FUNCTION_TIMES},
        share=document["share"],
        called_by=document["called_by"],
        records=document.get("records"),  # Records of the first versions do not say.
    )


def _encode_server(server: ServerView) -> dict[str, object]:
    return {
        "timings_ms": {name: ms_or_none(duration) for name, duration in server.timings.items()},
        "performance_metrics": None if server.metrics is None else encode_metrics(server.metrics),
        "records": server.records,
        "functions": [_encode_function(function) for function in server.functions],
        "profiled": server.profiled,
        "log_refused": server.log_refused,
    }


def _decode_server(document: Mapping[str, Any]) -> ServerView:
    metrics = document["performance_metrics"]
    return ServerView(
        timings={name: from_milliseconds(value) for name, value in document["timings_ms"].items()},
        metrics=None if metrics is None else decode_metrics(metrics),
        records=document["records"],
        functions=tuple(_decode_function(function) for function in document["functions"]),
        profiled=document.get("profiled", 0),
        log_refused=document.get("log_refused", False),
    )


def _decode_memory(document: Mapping[str, Any]) -> MemoryUse:
    peak = document["peak"]
    return MemoryUse(
        rss_bytes=from_mebibytes(document["rss"]),
        delta_bytes=from_mebibytes(document["delta"]),
        peak_bytes=None if peak is None else from_mebibytes(peak),
    )


def _encode_durations(record: LatencySummary | CpuTime | None) -> dict[str, object] | None:
    """Encode a record of durations: its `median_s` is the key `median`, other fields stay as they are."""
    if record is None:
        return None
    return {
        name.removesuffix("_s"): ms_or_none(value) if name.endswith("_s") else value
        for name, value in asdict(record).items()
    }


def _in_mb(memory: MemoryUse | None) -> dict[str, object] | None:
    if memory is None:
        return None
    return {
        name.removesuffix("_bytes"): None if value is None else to_mebibytes(value)
        for name, value in asdict(memory).items()
    }


def _decode_durations(record: type[LatencySummary | CpuTime], document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field.name: s_or_none(document[field.name.removesuffix("_s")])
        if field.name.endswith("_s")
        else document[field.name]
        for field in fields(record)
    }


def _ns(value: float | None) -> float | None:
    return None if value is None else round(value * 1e9, 3)


def _from_ns(value: float | None) -> float | None:
    return None if value is None else value / 1e9
