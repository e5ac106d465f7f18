"""The drawings of a profile."""

from __future__ import annotations

from markupsafe import Markup

from perfcli.records import ProfileResult
from perfcli.reporters.html.bars import draw_durations, draw_shares
from perfcli.reporters.html.distribution import draw_distribution
from perfcli.reporters.html.flame_graph import draw_flame_graph


def profile_drawings(result: ProfileResult) -> dict[str, Markup]:
    """Return the drawings by name; one that has nothing to show is missing."""
    drawings: dict[str, Markup] = {}
    if result.latency is not None:
        drawings["distribution"] = draw_distribution(result.samples_s, result.latency)
        start = [
            ("import and load", result.load_s),
            ("first call", result.cold_start_s),
            ("median, warm", result.latency.median_s),
        ]
        drawings["start"] = draw_durations([(name, seconds) for name, seconds in start if seconds is not None])
    if result.stages:
        drawings["stages"] = draw_shares([(stage.name, stage.share) for stage in result.stages])
    if result.call_tree:
        drawings["flame"] = draw_flame_graph(result.call_tree)
    return drawings
