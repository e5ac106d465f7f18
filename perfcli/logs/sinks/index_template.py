"""The types of the fields of our documents, for the indices that are made every day."""

from __future__ import annotations

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_LONG = {"type": "long"}
_DOUBLE = {"type": "double"}


def daily_indices(index: str) -> str:
    """Return the pattern of the daily indices with this prefix, and of none with a longer one, such as a `-staging`."""
    return f"{index}-20*"


def index_template(index: str) -> dict[str, object]:
    """Return the composable index template for the daily indices with this prefix."""
    return {
        # Two templates of one priority whose patterns overlap are refused, so the second service would have none.
        "index_patterns": [daily_indices(index)],
        "priority": 500,
        "template": {"mappings": _MAPPINGS},
        "_meta": {"managed_by": "perfcli"},
    }


_TOP_FUNCTION = {
    "function": _KEYWORD,
    "file": _KEYWORD,
    "line": _LONG,
    "cumulative_time_ms": _DOUBLE,
    "total_time_ms": _DOUBLE,
    "calls": _LONG,
}
_METRICS = {
    "inference_time_ms": _DOUBLE,
    "cpu_time_ms": _DOUBLE,
    "memory_mb": _DOUBLE,
    "memory_delta_mb": _DOUBLE,
    "function_calls": _LONG,
    "latency_ms": _DOUBLE,
    # Nested: otherwise the calls of one function would be found with the name of another.
    "top_functions": {"type": "nested", "properties": _TOP_FUNCTION},
}
_MAPPINGS = {
    "dynamic_templates": [
        # The first value decides the type for the whole day, and a duration may be 0 or 12 as well as 12.5.
        {"durations": {"match": "*_ms", "mapping": _DOUBLE}},
        {"sizes": {"match": "*_mb", "mapping": _DOUBLE}},
        {"texts": {"match_mapping_type": "string", "mapping": _KEYWORD}},
    ],
    "properties": {
        "timestamp": {"type": "date"},
        "level": _KEYWORD,
        "logger": _KEYWORD,
        "message": {"type": "text"},
        "transaction_id": _KEYWORD,
        "event": {"properties": {"id": _KEYWORD}},
        "trace": {"properties": {"id": _KEYWORD}},
        # The names of the Elastic Common Schema, for dashboards that expect them.
        "@timestamp": {"type": "alias", "path": "timestamp"},
        "log": {
            "properties": {"level": {"type": "alias", "path": "level"}, "logger": {"type": "alias", "path": "logger"}}
        },
        "performance_metrics": {"properties": _METRICS},
    },
}
