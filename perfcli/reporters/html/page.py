"""From a result to its page: which template, which drawings, and how numbers are written."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined

from perfcli import __version__
from perfcli.records import ProfileResult
from perfcli.records.capacity import SILENT, CapacityResult
from perfcli.records.codec import Result
from perfcli.records.comparison import Comparison
from perfcli.records.load import LoadResult
from perfcli.records.sweep import SweepResult
from perfcli.reporters.capacity_report import describe_capacity
from perfcli.reporters.comparison_report import describe_comparison
from perfcli.reporters.html.capacity_page import capacity_drawings, load_writer
from perfcli.reporters.html.comparison_page import comparison_drawings
from perfcli.reporters.html.load_page import load_drawings
from perfcli.reporters.html.profile_page import profile_drawings
from perfcli.reporters.html.sweep_page import sweep_drawings
from perfcli.reporters.load_table import describe_load, describe_tasks, endpoint_rows
from perfcli.reporters.parts import NOT_MEASURED
from perfcli.reporters.sweep_report import describe_sweep
from perfcli.units import (
    format_beside,
    format_change,
    format_difference,
    format_duration,
    format_mean,
    format_rate,
    format_ratio,
    format_size,
)

V = TypeVar("V")


def render(result: Result) -> str:
    """Return the whole page."""
    template, describe = PAGES[type(result)]
    environment = _environment()
    style, script = (environment.get_template(name).render() for name in ("report.css", "report.js"))
    return environment.get_template(template).render(
        result=result,
        version=__version__,
        style=style,
        script=script,
        policy=_policy(style, script),
        **describe(result),
    )


def _profile(result: ProfileResult) -> dict[str, object]:
    return {"drawings": profile_drawings(result)}


def _load(result: LoadResult) -> dict[str, object]:
    return {
        "drawings": load_drawings(result),
        "load": describe_load(result.description),
        "tasks_said": "" if result.arrivals is None else describe_tasks(result.arrivals),
        "rows": list(endpoint_rows(result, MOST_ENDPOINTS)),
    }


def _comparison(result: Comparison) -> dict[str, object]:
    return {"drawings": comparison_drawings(result), "outcome": describe_comparison(result)}


def _capacity(result: CapacityResult) -> dict[str, object]:
    return {
        "drawings": capacity_drawings(result),
        "outcome": describe_capacity(result),
        "show_load": load_writer(result),
        "doubtful": any(probe.outcome in SILENT for probe in result.probes),
    }


def _sweep(result: SweepResult) -> dict[str, object]:
    return {"drawings": sweep_drawings(result), "outcome": describe_sweep(result)}


PAGES: Mapping[type, tuple[str, Callable[[Any], dict[str, object]]]] = {
    ProfileResult: ("profile.html", _profile),
    LoadResult: ("load.html", _load),
    Comparison: ("comparison.html", _comparison),
    CapacityResult: ("capacity.html", _capacity),
    SweepResult: ("sweep.html", _sweep),
}
"""Template of each kind of result, and what it is given beside the result itself."""

MOST_ENDPOINTS = 50


def _policy(style: str, script: str) -> str:
    """Allow exactly our own style and script: whatever else got into the page could neither run nor reach anybody."""
    return f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'"


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("perfcli.reporters.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": _or_nothing(format_duration),
        "mean": _or_nothing(format_mean),
        "size": _or_nothing(format_size),
        "ratio": _or_nothing(format_ratio),
        "change": format_change,
        "difference": format_difference,
        "rate": _or_nothing(format_rate),
        "beside": lambda value, limit, unit: NOT_MEASURED if value is None else format_beside(value, limit, unit),
        "calls": lambda calls: f"{calls:.3g}" if calls < 100 else f"{calls:.0f}",
    }
    return environment


def _or_nothing(show: Callable[[V], str]) -> Callable[[V | None], str]:
    """Let a number that was not measured be written as such."""
    return lambda value: NOT_MEASURED if value is None else show(value)
