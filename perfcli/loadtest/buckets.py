"""The buckets of an HdrHistogram, so that counting is cheap and its own encoding is needed only once, at the end.

The index is the one HdrHistogram (https://hdrhistogram.org) uses itself for a lowest value of 1 and three digits: 2048
buckets of 1 ns, then 1024 for every doubling.
"""

from __future__ import annotations

HISTOGRAM_MAX_NS = 3_600_000_000_000
"""Longest latency the histograms are made for, one hour; longer than any time-out."""
HISTOGRAM_DIGITS = 3


def highest_in_bucket(bucket: int) -> int:
    """Return the largest value in nanoseconds that HdrHistogram holds equivalent to this bucket's others."""
    if bucket < 2048:
        return bucket
    shift = (bucket >> 10) - 1
    return ((bucket - (shift << 10) + 1) << shift) - 1
