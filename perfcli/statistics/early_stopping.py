"""When enough requests were seen to decide whether a percentile keeps its bound: the binomial bound of loadgen.

A percentile q keeps a bound when at most the share 1 - q of all requests violates it, so that every request is a
throw of a coin. Seeing few violations proves that the share is kept, seeing many proves that it is not, and
between the two more requests are needed (MLPerf loadgen, `early_stopping.cc`).
"""

from __future__ import annotations

import math
from typing import Literal

Decision = Literal["holds", "fails"]


def decide(requests: int, violations: int, allowed_ratio: float, confidence: float = 0.99) -> Decision | None:
    """Say whether the share of violations is proven to be within or beyond what is allowed; None when neither is.

    Args:
        requests: Requests seen.
        violations: Those of them that violated the bound.
        allowed_ratio: Share that may violate it, such as 0.01 for a p99; between 0 and 1.
        confidence: Of the proof.

    Raises:
        ValueError: The counts contradict each other, or a ratio is out of range.
    """
    _check(requests, violations, allowed_ratio, confidence)
    if at_most(requests, violations, allowed_ratio) <= 1 - confidence:
        return "holds"
    if at_least(requests, violations, allowed_ratio) <= 1 - confidence:
        return "fails"
    return None


def at_most(throws: int, hits: int, chance: float) -> float:
    """Return the probability of at most that many hits: the binomial distribution function."""
    if hits >= throws:
        return 1.0
    # The sum runs away from the centre, where the terms fall fast; from the other side it is the complement.
    return _tail(throws, hits, chance) if hits <= throws * chance else 1 - _tail(throws, throws - hits - 1, 1 - chance)


def at_least(throws: int, hits: int, chance: float) -> float:
    """Return the probability of at least that many hits."""
    return at_most(throws, throws - hits, 1 - chance)


def _tail(throws: int, hits: int, chance: float) -> float:
    """Sum the probabilities of `hits`, `hits - 1`... 0, of which `hits` has the largest."""
    if hits < 0:
        return 0.0
    log = math.lgamma(throws + 1) - math.lgamma(hits + 1) - math.lgamma(throws - hits + 1)
    term = math.exp(log + hits * math.log(chance) + (throws - hits) * math.log1p(-chance))
    total = 0.0
    while term > total * 1e-17 and hits >= 0:
        total += term
        term *= hits * (1 - chance) / ((throws - hits + 1) * chance)
        hits -= 1
    return min(1.0, total)


def _check(requests: int, violations: int, allowed_ratio: float, confidence: float) -> None:
    if not 0 <= violations <= requests:
        raise ValueError(f"{violations} violations in {requests} requests")
    if not 0 < allowed_ratio < 1 or not 0 < confidence < 1:
        raise ValueError(f"a ratio between 0 and 1 is needed, not {allowed_ratio} with confidence {confidence}")
