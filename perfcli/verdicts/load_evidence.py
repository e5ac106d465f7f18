"""What two loads say beside their latencies: whether more requests fail, and whether the loads prove anything."""

from __future__ import annotations

from collections.abc import Iterator

from perfcli.records import Advice
from perfcli.records.comparison import Change, FailureChange
from perfcli.records.load import LoadResult
from perfcli.statistics import compare_shares
from perfcli.verdicts.clusters import failure_effect

FEWEST = 10
"""Independent requests on each side, below which the test of shares means nothing."""
FEW = 0.001
"""Share of the requests: a rise of failures by less is nothing, however sure it is."""
MANY = 0.01
"""Share of the requests: a rise of failures by so much is not passed over because it is not sure."""
DROPPED = 0.001
"""Share of the arrivals: fewer that were dropped move no percentile."""


def compare_failures(base: LoadResult, new: LoadResult, min_effect: float, significance: float) -> FailureChange:
    """Compare the shares of requests that failed; both runs have requests.

    Args:
        base: What is compared with.
        new: What is judged.
        min_effect: A share that is larger by less than this ratio is no larger.
        significance: Largest p-value that proves a difference.
    """
    before, after = base.total.failures / base.total.requests, new.total.failures / new.total.requests
    # Of both: the side where nothing failed would not show that failures come together.
    effect = max(map(failure_effect, (base, new)))
    sizes = base.total.requests / effect, new.total.requests / effect
    p_value = compare_shares(before, sizes[0], after, sizes[1])
    rise = after - before
    proven = p_value <= significance and min(sizes) >= FEWEST
    if rise < FEW or rise < before * min_effect or (rise < MANY and not proven):
        return FailureChange(before, after, p_value, "not more")
    return FailureChange(before, after, p_value, "more" if proven else "inconclusive")


def doubts(base: LoadResult, new: LoadResult) -> Iterator[tuple[Change | None, Advice]]:
    """Yield why the two prove less than they seem to, and what they prove nevertheless.

    Arrivals that were dropped would have been slow: a run that dropped some was slower than its latencies say.
    """
    sides: tuple[tuple[str, LoadResult, Change], ...] = (("base", base, "faster"), ("new run", new, "slower"))
    for name, run, certain in sides:
        if run.generator.verdict == "generator-bound":
            message = f"In the {name} the generator could not keep up: {'; '.join(run.generator.reasons)}."
            yield None, Advice("generator_bound", message, "Measure it again with a generator that has cores to spare.")
        dropped, scheduled = (0, 0) if run.arrivals is None else run.arrivals.dropped_of_window
        if dropped > DROPPED * scheduled:
            message = (
                f"The {name} dropped {dropped} of {scheduled} arrivals, whose latency is unknown and "
                "would have been high."
            )
            yield certain, Advice("dropped", message, "Measure both with a lower --rate.")
