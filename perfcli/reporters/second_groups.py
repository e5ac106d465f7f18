"""Seconds of a load put together, where each for itself would be too many or too short."""

from __future__ import annotations

from collections.abc import Sequence

from perfcli.records.load_second import SHORT_S, LoadSecond

Group = list[LoadSecond]


def group_seconds(seconds: Sequence[LoadSecond], most: int) -> list[Group]:
    """Put neighbouring seconds together until there are about `most` groups, none of which mixes warm-up and rest.

    A last second that is cut short goes with the one before it: its rates would jump.
    """
    size = -(-len(seconds) // most)
    groups: list[Group] = []
    for second in seconds:
        joins = groups and groups[-1][0].measured == second.measured
        if not joins or (len(groups[-1]) >= size and second.elapsed_s >= SHORT_S):
            groups.append([])
        groups[-1].append(second)
    return groups
