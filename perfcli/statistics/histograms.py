"""Read latency histograms in HdrHistogram's own encoding."""

from __future__ import annotations


def decode_histogram(text: str) -> list[tuple[float, int]]:
    """Return duration in seconds and number of samples of each value seen, the shortest first.

    A value stands for all that three digits cannot tell from it; the longest of them is given.

    Raises:
        ValueError: The text is not a histogram of nanoseconds.
    """
    from hdrh.codec import HdrCookieException, HdrLengthException
    from hdrh.histogram import HdrHistogram

    try:
        histogram = HdrHistogram.decode(text)
    except (HdrCookieException, HdrLengthException, TypeError) as error:
        raise ValueError(f"not an HdrHistogram: {error}") from error
    values = ((histogram.get_value_from_index(index), count) for index, count in enumerate(histogram.counts) if count)
    return [(histogram.get_highest_equivalent_value(value) / 1e9, count) for value, count in values]
