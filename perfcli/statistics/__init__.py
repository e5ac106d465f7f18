"""Pure functions on numbers: percentiles, intervals, comparisons, outliers, stability.

They refuse empty input with ValueError, name the definition they use, and need nothing but the standard library at
import.
"""

from __future__ import annotations

from perfcli.statistics.bootstrap import percentile_ratio_interval
from perfcli.statistics.comparison import compare_shares, further_runs, holm, judge_ratio, mann_whitney, sign_test
from perfcli.statistics.dependence import design_effect, effective_size
from perfcli.statistics.distribution import Distribution
from perfcli.statistics.early_stopping import Decision, decide
from perfcli.statistics.intervals import median_interval
from perfcli.statistics.means import weighted_mean_or_none
from perfcli.statistics.outliers import modified_z_scores, outliers
from perfcli.statistics.percentiles import mean_of_medians, median, percentile, percentile_or_none, samples_needed
from perfcli.statistics.stability import drift, is_stable, is_steady

__all__ = [
    "Decision",
    "Distribution",
    "compare_shares",
    "decide",
    "design_effect",
    "drift",
    "effective_size",
    "further_runs",
    "holm",
    "is_stable",
    "is_steady",
    "judge_ratio",
    "mann_whitney",
    "mean_of_medians",
    "median",
    "median_interval",
    "modified_z_scores",
    "outliers",
    "percentile",
    "percentile_or_none",
    "percentile_ratio_interval",
    "samples_needed",
    "sign_test",
    "weighted_mean_or_none",
]
