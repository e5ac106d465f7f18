"""Values that do not belong to the rest, judged by medians so that the outliers cannot hide themselves."""

from __future__ import annotations

from collections.abc import Sequence

from perfcli.statistics.percentiles import median

# Both make the scale of a normal distribution come out as its standard deviation.
_MEDIAN_DEVIATION_TO_SIGMA = 1.482602218505602
_MEAN_DEVIATION_TO_SIGMA = 1.2533141373155001


def modified_z_scores(values: Sequence[float]) -> list[float]:
    """Return for each value its distance from the median in robust standard deviations.

    Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993): the scale is the median absolute deviation.
    When more than half of the values are equal that is 0, and the mean absolute deviation takes its place; when
    all are, every score is 0.

    Raises:
        ValueError: No values, or one is NaN.
    """
    centre = median(values)
    deviations = [abs(value - centre) for value in values]
    scale = median(deviations) * _MEDIAN_DEVIATION_TO_SIGMA
    if scale == 0:
        scale = sum(deviations) / len(deviations) * _MEAN_DEVIATION_TO_SIGMA
    return [(value - centre) / scale if scale else 0.0 for value in values]


def outliers(values: Sequence[float], threshold: float = 3.5) -> list[int]:
    """Return the positions of the values whose modified z-score is beyond the threshold, on either side.

    Args:
        values: In the order they were measured.
        threshold: 3.5 is what Iglewicz and Hoaglin recommend; 10 leaves only what something else must have caused.

    Raises:
        ValueError: No values, or one is NaN.
    """
    return [position for position, score in enumerate(modified_z_scores(values)) if abs(score) > threshold]
