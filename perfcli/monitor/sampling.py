"""Which predictions are profiled deeply: every one, a share of them, or as many as a budget of time allows."""

from __future__ import annotations

import os
import random

# Weight of one prediction in the moving averages; the rare deep ones have to count sooner.
_PLAIN_WEIGHT = 1 / 256
_DEEP_WEIGHT = 1 / 16
# Under a budget, so that there is always something to compare a profile with.
_HIGHEST_RATE = 0.5
# Before anything is measured a deep profile is taken to cost twice the prediction: pandas and scikit-learn need 1.2.
_ASSUMED_COST_RATIO = 2.0


class Sampler:
    """Draws predictions at random, so that traffic with a rhythm is not seen only on the beat.

    Under a budget the rate is `(budget * duration - own) / cost`: duration is that of the predictions that were not
    profiled, own what measuring them took, cost what profiling one adds to it, all averaged over recent traffic.
    Where measuring alone takes the budget, nothing is profiled, and never more than half.

    Attributes:
        rate: Probability that the next prediction is profiled, 0 to 1.
        random: Draws a number from 0 up to 1; below the rate, the prediction is profiled.
        reason: Why a prediction that is not drawn has no profile.
        share: Part of the predictions to profile, 0 to 1; under a budget the most there can be.
        has_budget: It wants to be told what each prediction lasted.
    """

    def __init__(self, share: float = 1.0, budget: float | None = None, seed: int | None = None) -> None:
        """Take the settings.

        Args:
            share: Part of the predictions to profile, 0 to 1; under a budget the most there can be.
            budget: Part of the serving time that measuring and profiling may add; None: no limit.
            seed: Makes the draws repeatable.
        """
        self.share = share
        self._budget = budget
        # Not the shared generator: whoever seeds that one expects its numbers for himself.
        own_random = random.Random(seed)
        self.random = own_random.random
        self._plain_ns = _Average(_PLAIN_WEIGHT)
        self._own_ns = _Average(_PLAIN_WEIGHT)
        self._deep_ns = _Average(_DEEP_WEIGHT)
        self.has_budget = budget is not None
        self._steer()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=own_random.seed)

    def observe(self, duration_ns: int, profiled: bool, own_ns: int = 0) -> None:
        """Take note of a prediction; a lost update between threads is no harm to an average.

        Args:
            duration_ns: What it lasted.
            profiled: It was profiled.
            own_ns: What measuring it took, before and after.
        """
        if profiled:
            self._deep_ns.add(duration_ns + own_ns)
        else:
            self._own_ns.add(own_ns)
            self._plain_ns.add(duration_ns)
        self._steer()

    def _steer(self) -> None:
        # Worked out here, once for each prediction, and not where it is read, which is more often.
        rate, reason = self.share, "not sampled"
        if self._budget is not None:
            rate = min(rate, _HIGHEST_RATE)
            own_ratio = self._own_ns.value / self._plain_ns.value if self._plain_ns.value else 0.0
            affordable = max(0.0, self._budget - own_ratio) / self._cost_ratio()
            if affordable < rate:
                rate, reason = affordable, "over budget"
        self.rate, self.reason = rate, reason

    def _cost_ratio(self) -> float:
        if not self._plain_ns.value or not self._deep_ns.value:
            return _ASSUMED_COST_RATIO
        # Noise can make a profile look free; it never is.
        return max((self._deep_ns.value - self._own_ns.value) / self._plain_ns.value - 1.0, 0.1)


class _Average:
    """A moving average; of the first values all count alike, or the very first, which is slow, would for long."""

    def __init__(self, weight: float) -> None:
        self.value = 0.0
        self._weight = weight
        self._seen = 0

    def add(self, value: float) -> None:
        self._seen += 1
        self.value += max(self._weight, 1 / self._seen) * (value - self.value)
