"""Which predictions are profiled deeply: every one, a share of them, or as many as a budget of time allows."""

from __future__ import annotations

import os
import random

# Weight of one prediction in the moving averages; the rare deep ones have to count sooner.
_PLAIN_WEIGHT = 1 / 256
_DEEP_WEIGHT = 1 / 16
# Before anything is measured a deep profile is taken to cost twice the prediction: pandas and scikit-learn need 1.2.
_ASSUMED_COST_RATIO = 2.0


class Sampler:
    """Draws predictions at random, so that traffic with a rhythm is not seen only on the beat.

    Under a budget the rate is `budget * duration / cost`: duration is that of the predictions that were not profiled,
    cost what profiling one adds to it, both averaged over recent traffic.

    Attributes:
        rate: Probability that the next prediction is profiled, 0 to 1.
        reason: Why a prediction that is not drawn has no profile.
        has_budget: It wants to be told what each prediction lasted.
    """

    def __init__(self, share: float = 1.0, budget: float | None = None, seed: int | None = None) -> None:
        """Take the settings.

        Args:
            share: Part of the predictions to profile, 0 to 1; under a budget the most there can be.
            budget: Part of the serving time that profiling may add; None: no limit.
            seed: Makes the draws repeatable.
        """
        self._share = share
        self._budget = budget
        # Not the shared generator: whoever seeds that one expects its numbers for himself.
        self._random = random.Random(seed)
        self._plain_ns: float | None = None
        self._deep_ns: float | None = None
        self.has_budget = budget is not None
        self._steer()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._random.seed)

    def draw(self) -> bool:
        """Decide about one prediction."""
        rate = self.rate
        return rate >= 1.0 or (rate > 0.0 and self._random.random() < rate)

    def observe(self, duration_ns: int, profiled: bool) -> None:
        """Take note of what a prediction lasted; a lost update between threads is no harm to an average."""
        if profiled:
            self._deep_ns = _average(self._deep_ns, duration_ns, _DEEP_WEIGHT)
        else:
            self._plain_ns = _average(self._plain_ns, duration_ns, _PLAIN_WEIGHT)
        self._steer()

    def _steer(self) -> None:
        # Worked out here, once for each prediction, and not where it is read, which is more often.
        self.rate = self._share
        if self._budget is not None:
            self.rate = min(self._share, self._budget / max(self._cost_ratio(), self._budget, 1e-9))
        self.reason = "over budget" if self.rate < self._share else "not sampled"

    def _cost_ratio(self) -> float:
        if not self._plain_ns or self._deep_ns is None:
            return _ASSUMED_COST_RATIO
        # Noise can make a profile look free; it never is.
        return max(self._deep_ns / self._plain_ns - 1.0, 0.1)


def _average(average: float | None, value: float, weight: float) -> float:
    return value if average is None else average + weight * (value - average)
